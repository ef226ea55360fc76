"""Results of `htrisk faults` as Markdown and JSON.

Belongs here: the shape of a part's result, and writing it down. Does not: any part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from htrisk_dagster.warehouse.partitions import write_text_whole

PartResult = Mapping[str, Any]
"""What a part gives back, all of it JSON: `cases` and `failed` as numbers; `ends`, how many ended how;
`failures`, a sentence each; `table`, rows of figures (may be left out); `seconds` is added."""


def write_report(results: Mapping[str, PartResult], out: Path) -> Path:
    """Write `faults.json` and `faults.md` of all parts run so far in `out`; return the table's path."""
    path = out / "faults.json"
    known: dict[str, PartResult] = json.loads(path.read_text()) if path.is_file() else {}
    merged = {**known, **results}
    write_text_whole(path, json.dumps(merged, indent=1, sort_keys=True))
    return write_text_whole(out / "faults.md", to_markdown(merged))


def to_markdown(results: Mapping[str, PartResult]) -> str:
    """Print one line a part, then the parts' own tables and what failed."""
    lines = ["# Faults", "", "| part | cases | failed | how they ended | seconds |"]
    lines += ["|---|---|---|---|---|"]
    for name, result in results.items():
        ends = ", ".join(f"{count:,} {end}" for end, count in result.get("ends", {}).items())
        seconds = f"{result.get('seconds', 0):.0f}"
        cells = (name, f"{result['cases']:,}", str(result["failed"]), ends, seconds)
        lines.append(f"| {' | '.join(cells)} |")
    for name, result in results.items():
        if rows := result.get("table"):
            lines += [
                "",
                f"## {name}",
                "",
                f"| {' | '.join(rows[0])} |",
                "|---" * len(rows[0]) + "|",
            ]
            lines += [f"| {' | '.join(str(v) for v in row.values())} |" for row in rows]
        if failures := result.get("failures"):
            lines += ["", f"## {name}: what failed", "", *(f"- {line}" for line in failures)]
    return "\n".join(lines) + "\n"
