"""`python -m benchmarks [NAME …] --out FOLDER`: measure rows, write the table and the plot."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.growth import measure_growth
from benchmarks.measuring import as_json, measure
from benchmarks.report import write_report
from benchmarks.rows import GROWTH, ROWS


def main() -> None:
    """Measure the rows asked for; each is written as it is done, so that an interruption loses one."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join((*ROWS, GROWTH))}"
    )
    parser.add_argument("--out", type=Path, default=Path(".htrisk/bench"))
    given = parser.parse_args()
    results = given.out / "results"
    results.mkdir(parents=True, exist_ok=True)
    for name in given.names or (*ROWS, GROWTH):
        if name == GROWTH:
            measure_growth(given.out, lambda line: print(line, flush=True))
            continue
        measured = measure(name, given.out, lambda line: print(line, flush=True))
        (results / f"{name}.json").write_text(as_json(measured))
    print(f"\n{write_report(given.out).read_text()}")


if __name__ == "__main__":
    main()
