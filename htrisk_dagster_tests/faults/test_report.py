from __future__ import annotations

import json
from pathlib import Path

from htrisk_dagster.cli import app
from htrisk_dagster.cli import faults as command
from htrisk_dagster.faults.report import write_report
from typer.testing import CliRunner

GOOD = {"cases": 1200, "failed": 0, "ends": {"refused": 1200}, "seconds": 3.2,
        "table": [{"layout": "a", "refused": 1200}]}  # fmt: skip
BAD = {
    "cases": 2,
    "failed": 1,
    "ends": {"torn": 1},
    "failures": ["The file was torn."],
    "seconds": 1,
}


def test_parts_are_added_to_one_table(tmp_path: Path):
    write_report({"bad-input": GOOD}, tmp_path)
    text = write_report({"kill": BAD}, tmp_path).read_text()

    assert "| bad-input | 1,200 | 0 | 1,200 refused | 3 |" in text
    assert "| kill | 2 | 1 | 1 torn | 1 |" in text
    assert "| layout | refused |" in text
    assert "- The file was torn." in text
    assert set(json.loads((tmp_path / "faults.json").read_text())) == {"bad-input", "kill"}


class Part:
    def __init__(self, result: dict[str, object]) -> None:
        self.result = result

    def run_part(self, out, *, n, say):
        say(f"{n} rounds")
        return dict(self.result)


def test_the_command_fails_where_a_fault_was_not_caught(tmp_path: Path, monkeypatch):
    for result, code in ((GOOD, 0), (BAD, 1)):
        monkeypatch.setattr(command, "import_module", lambda name, r=result: Part(r))
        done = CliRunner().invoke(app, ["faults", "--out", str(tmp_path), "--part", "fuzz"])
        assert done.exit_code == code
        assert f"fuzz: {result['cases']:,} cases, {result['failed']} failed." in done.stdout


def test_an_unknown_part_is_named(tmp_path: Path):
    done = CliRunner().invoke(app, ["faults", "--out", str(tmp_path), "--part", "flood"])
    assert done.exit_code == 1
    assert "There is no part 'flood'. Choose bad-input, fuzz" in done.stderr
