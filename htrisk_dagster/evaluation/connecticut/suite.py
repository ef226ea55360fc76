"""The Connecticut suite: which units there are, their making, and the tables at the end.

Belongs here: parts, units and the order of work. Does not: any figure (`measured`), judging and
printing (`findings`), how a unit is made (`skill/units_of_work`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from htrisk_dagster.errors import SettingError, SourceError
from htrisk_dagster.evaluation.connecticut import findings
from htrisk_dagster.evaluation.connecticut.measured import delivery_folder
from htrisk_dagster.evaluation.skill.tables import cost_table, judgement_table
from htrisk_dagster.evaluation.skill.units_of_work import (
    Say,
    Unit,
    make_units,
    read_result,
    read_seconds,
    result_bytes,
)
from htrisk_dagster.evaluation.volume_backtest import HORIZON_DAYS
from htrisk_dagster.models.offence_mix import TREATMENTS
from htrisk_dagster.sources.reported_offences import delivery_files
from htrisk_dagster.warehouse.partitions import write_bytes_whole, write_text_whole

SEED = 20261125
_YEAR_DAYS = 365
_MODULE = "htrisk_dagster.evaluation.connecticut.measured"
PARTS = ("volume", "offence_mix", "staffing")


def part_units(part: str, data: Path | None) -> list[Unit]:
    """Units of one part.

    Raises
    ------
    SettingError
        Where there is no such part, or no folder was given.
    SourceError
        Where the folder holds no NIBRS files.
    """
    if part not in PARTS:
        raise SettingError(f"There is no part '{part}'. Choose one of {', '.join(PARTS)}.")
    if data is None:
        raise SettingError(f"Part '{part}' reads real files. Give their folder by --data.")
    folder = data.resolve()
    files = tuple(delivery_files(delivery_folder(folder)))
    if not files:
        raise SourceError(f"{folder} holds no NIBRS files. Give the folder of the real data.")

    def unit(name: str, function: str, **arguments: str | int) -> Unit:
        return Unit(part, name, f"{_MODULE}:{function}", {"data": str(folder), **arguments}, files)

    if part == "volume":
        return [
            unit(name, "blind_volume", horizon_days=days, seed=SEED)
            for name, days in ((findings.ROLLING, HORIZON_DAYS), (findings.ONE_ORIGIN, _YEAR_DAYS))
        ]
    if part == "offence_mix":
        of_treatments = [unit(t, "classified_mix", treatment=t, seed=SEED) for t in TREATMENTS]
        return [unit(findings.PRIORS, "prior_mix"), *of_treatments]
    return [unit("officers_and_rates", "force_and_rates")]


def run_suite(
    data: Path | None,
    out: Path,
    *,
    parts: Sequence[str] = PARTS,
    n_seeds: int = 1,
    jobs: int = 2,
    say: Say = print,
) -> Path:
    """Make what is missing or stale, then write `connecticut.md` and `.json`; return the former.

    Parameters
    ----------
    data : Path
        Folder of the real data.
    out : Path
        Where results and tables go.
    parts : sequence of str
        Of `PARTS`.
    n_seeds : int
        Not used: there is one Connecticut.
    jobs : int
        Processes at a time.
    say : callable
        Told how far the work is.
    """
    by_part = {part: part_units(part, data) for part in parts}
    make_units([unit for units in by_part.values() for unit in units], out, jobs=jobs, say=say)
    results = {
        part: {unit.name: read_result(unit, out) for unit in units}
        for part, units in by_part.items()
    }
    judgements = [j for part, found in results.items() for j in findings.judge(part, found)]
    seconds = {part: [read_seconds(unit, out) for unit in units] for part, units in by_part.items()}
    reached = sum(j.is_reached for j in judgements)
    text = "\n\n".join(
        [
            "# Connecticut by police agency, 2021 to 2022",
            f"{reached} of {len(judgements)} figures reach their target. All are of *reported* "
            "incidents; every volume forecast was sealed before its truth was read.",
            judgement_table(judgements),
            *(findings.part_text(part, found) for part, found in results.items()),
            "## Cost",
            cost_table(seconds),
        ]
    )
    content = {"judgements": [asdict(j) for j in judgements], "results": results}
    write_bytes_whole(out / "connecticut.json", result_bytes(content))
    return write_text_whole(out / "connecticut.md", text + "\n")
