"""The skill suite: which units there are, their making, and the tables at the end.

Belongs here: parts, units and the order of work. Does not: any figure (the parts), how a unit is
made (`units_of_work`), arguments of the command (`cli`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from htrisk_dagster.errors import SettingError, SourceError
from htrisk_dagster.evaluation.skill import cities, felonies, portland, shootings, tables, tensors
from htrisk_dagster.evaluation.skill.targets import judge
from htrisk_dagster.evaluation.skill.units_of_work import (
    Say,
    Unit,
    make_units,
    read_result,
    read_seconds,
    result_bytes,
)
from htrisk_dagster.warehouse.partitions import write_bytes_whole, write_text_whole

N_SEEDS = 20
SEED = 20261125
_PACKAGE = "htrisk_dagster.evaluation.skill"


def part_units(part: str, data: Path | None, *, n_seeds: int = N_SEEDS) -> list[Unit]:
    """Units of one part of the suite.

    Parameters
    ----------
    part : str
        One of `PARTS`.
    data : Path or None
        Folder of the real data; the cities need none.
    n_seeds : int
        Cities at each rate.

    Raises
    ------
    SettingError
        Where there is no such part, or it needs a folder and has none.
    SourceError
        Where a file of the part is absent.
    """
    if part not in PARTS:
        raise SettingError(f"There is no part '{part}'. Choose one of {', '.join(PARTS)}.")
    if data is None and part != "cities":
        raise SettingError(f"Part '{part}' reads real files. Give their folder by --data.")
    units = _UNITS[part]((data or Path()).resolve(), n_seeds)
    for file in {file for unit in units for file in unit.files}:
        if not file.is_file():
            raise SourceError(
                f"Part '{part}' reads {file}, which is absent. Give the folder of the real data."
            )
    return units


def _cities(data: Path, n_seeds: int) -> list[Unit]:
    # Seed by seed, so that an interrupted run has every rate.
    return [
        Unit(
            "cities",
            f"rate_{rate:g}_seed_{seed:02d}",
            f"{_PACKAGE}.cities:score_city",
            {"rate": rate, "seed": seed},
        )
        for seed in range(n_seeds)
        for rate in cities.RATES_PER_DAY
    ]


def _felonies(data: Path, n_seeds: int) -> list[Unit]:
    files = (data / felonies.FILE,)
    daily = [
        Unit(
            "felonies",
            f"daily_{size}_m_{series.replace(' ', '_')}",
            f"{_PACKAGE}.felonies:forecast_felonies",
            {"data": str(data), "series": series, "cell_size_m": size, "seed": SEED},
            files,
        )
        for size in felonies.CELL_SIZES_M
        for series in felonies.GROUPS
    ]
    weekly = Unit(
        "felonies", "weekly_183_m", f"{_PACKAGE}.weekly_anchors:score_weeks", {"data": str(data)},
        files,
    )  # fmt: skip
    return [*daily, weekly]


def _shootings(data: Path, n_seeds: int) -> list[Unit]:
    return [
        Unit(
            "shootings",
            "daily_500_m",
            f"{_PACKAGE}.shootings:forecast_shootings",
            {"data": str(data), "seed": SEED},
            tuple(data / file for file in shootings.FILES),
        )
    ]


def _tensors(data: Path, n_seeds: int) -> list[Unit]:
    return [
        Unit(
            "tensors",
            category,
            f"{_PACKAGE}.tensors:forecast_tensor",
            {"data": str(data), "category": category, "seed": SEED},
            (data / tensors.FILE,),
        )
        for category in tensors.CATEGORIES
    ]


def _portland(data: Path, n_seeds: int) -> list[Unit]:
    return [
        Unit(
            "portland",
            "burglaries",
            f"{_PACKAGE}.portland:forecast_portland",
            {"data": str(data)},
            (data / portland.FILE,),
        )
    ]


# The real files first: they take a quarter of the time, and a mistake shows at once.
_UNITS: dict[str, Callable[[Path, int], list[Unit]]] = {
    "portland": _portland,
    "tensors": _tensors,
    "felonies": _felonies,
    "shootings": _shootings,
    "cities": _cities,
}
PARTS = tuple(_UNITS)


def run_suite(
    data: Path | None,
    out: Path,
    *,
    parts: Sequence[str] = PARTS,
    n_seeds: int = N_SEEDS,
    jobs: int = 2,
    say: Say = print,
) -> Path:
    """Make what is missing or stale, then write `skill.md` and `skill.json`; return the former.

    Parameters
    ----------
    data : Path or None
        Folder of the real data; the cities need none.
    out : Path
        Where results and tables go.
    parts : sequence of str
        Of `PARTS`.
    n_seeds, jobs : int
        Cities at each rate, and processes at a time.
    say : callable
        Told how far the work is.
    """
    by_part = {part: part_units(part, data, n_seeds=n_seeds) for part in parts}
    make_units([unit for units in by_part.values() for unit in units], out, jobs=jobs, say=say)
    return write_tables(by_part, out)


def write_tables(by_part: dict[str, list[Unit]], out: Path) -> Path:
    """Judge and print the results in the folder; return the path of `skill.md`."""
    results = {
        part: {unit.name: read_result(unit, out) for unit in units}
        for part, units in by_part.items()
    }
    judgements = [j for part, found in results.items() for j in judge(part, found)]
    seconds = {part: [read_seconds(unit, out) for unit in units] for part, units in by_part.items()}
    reached = sum(j.is_reached for j in judgements)
    text = "\n\n".join(
        [
            "# How good the forecasts are",
            f"{reached} of {len(judgements)} figures reach their target. All are of *reported* "
            "incidents; every forecast was sealed before its truth was read.",
            tables.judgement_table(judgements),
            *(tables.part_text(part, found) for part, found in results.items()),
            "## Cost",
            tables.cost_table(seconds),
        ]
    )
    content = {"judgements": [asdict(j) for j in judgements], "results": results}
    write_bytes_whole(out / "skill.json", result_bytes(content))
    return write_text_whole(out / "skill.md", text + "\n")
