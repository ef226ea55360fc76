"""Faults of the surroundings: disks, clocks, calendars and a site that falls silent.

Belongs here: which faults there are, and their table. Does not: any of them (`full_disks`,
`set_clocks`, `odd_days`, `silent_week`).
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from htrisk_dagster.faults import full_disks, odd_days, set_clocks, silent_week
from htrisk_dagster.faults.ending import FAILED, Ending

FAULTS: tuple[Callable[[Path], Iterable[Ending]], ...] = (
    full_disks.endings,
    set_clocks.endings,
    odd_days.endings,
    silent_week.endings,
)


def run_part(out: Path, *, n: int, say: Callable[[str], None]) -> dict[str, object]:
    """Try each fault once, whatever `n`: they are not random; see `report.PartResult`."""
    endings: list[Ending] = []
    with tempfile.TemporaryDirectory(prefix="htrisk-environment-") as folder:
        for number, fault in enumerate(FAULTS):
            place = Path(folder) / str(number)
            place.mkdir()
            for ending in fault(place):
                say(f"{ending.fault}: {ending.end}: {ending.came}")
                endings.append(ending)
    failed = [e for e in endings if e.end == FAILED]
    return {
        "cases": len(endings),
        "failed": len(failed),
        "ends": dict(Counter(e.end for e in endings)),
        "failures": [f"{e.fault}: {e.came}" for e in failed],
        "table": [asdict(e) for e in endings],
    }
