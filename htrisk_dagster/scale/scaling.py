"""How work grows with cities and workers: synthetic cities run at once, with fewer and with more workers.

Belongs here: the runs, what is measured of each, and what follows for larger numbers. Does not: the work
itself (`city_run`), benchmarks beside other programs (`benchmarks/`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from htrisk_dagster.evaluation.effort import EFFORTS
from htrisk_dagster.features.inputs import read_inputs
from htrisk_dagster.scale.city_run import CityPlan, Say, run_cities
from htrisk_dagster.scale.execution import Execution
from htrisk_dagster.scale.shared_storage import SharedStorage
from htrisk_dagster.scale.synthetic_cities import TARGET_NAME, city_preset, write_city_tables
from htrisk_dagster.scale.unit import Job, Period, Unit, UnitReport, UnitSettings
from htrisk_dagster.study_areas.area import ContextPart, StudyArea, load_area
from htrisk_dagster.warehouse.partitions import Partitions, write_text_whole

FIRST_DAY, MONTH, LAST_DAY = date(2023, 7, 1), date(2024, 2, 1), date(2024, 2, 29)
MODELS = ("historical_mean", "empirical_bayes")
_INCIDENTS_PER_DAY = 50.0
_CPU = "cpu_ms"


@dataclass(frozen=True)
class ScalingRun:
    """One run of all cities.

    Parameters
    ----------
    workers : int
        Jobs at a time.
    seconds : float
        From the first unit to the last, cities on disk before.
    cpu_seconds : float
        Of all units, whatever machine they ran on; it holds where other programs share the cores.
    cell_days : int
        Cell-days of features, over all cities.
    bytes_stored : int
        Of all partitions, models and maps made.
    digest : str
        SHA-256 of every file made, by name: the same for every number of workers.
    """

    workers: int
    seconds: float
    cpu_seconds: float
    cell_days: int
    bytes_stored: int
    digest: str


class Metered:
    """An execution that adds up the CPU seconds of its jobs, wherever they are done."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.n_tiles, self.period_days = execution.n_tiles, execution.period_days
        self.cpu_seconds = 0.0

    def run(self, jobs: Sequence[Job]) -> list[UnitReport]:
        """Do the jobs; their reports are as without a meter."""
        reports = self.execution.run([Job(metered, j.unit, (j.work, *j.arguments)) for j in jobs])
        self.cpu_seconds += sum(report.sums[_CPU] for report in reports) / 1000
        return [replace(r, sums={n: v for n, v in r.sums.items() if n != _CPU}) for r in reports]


def metered(unit: Unit, work: Callable[..., UnitReport], *arguments: Any) -> UnitReport:
    """Work that tells the milliseconds of CPU that it took."""
    began = time.process_time()
    report = work(unit, *arguments)
    return replace(report, sums={**report.sums, _CPU: round(1000 * (time.process_time() - began))})


def measure_scaling(
    execution_of: Callable[[int], Execution],
    out: Path,
    *,
    n_cities: int,
    workers: Sequence[int],
    say: Say,
) -> list[ScalingRun]:
    """Run the same cities with each number of workers.

    Parameters
    ----------
    execution_of : callable
        Execution of a number of workers.
    out : Path
        Folder on storage that the workers see.
    n_cities : int
        Each of about 1,200 cells and eight months, with a seed of its own.
    workers : sequence of int
    say : callable
    """
    rows = out / "rows"
    execution_of(max(workers)).run(
        [Job(simulate_city, _unit_of(rows, _area(number)), (number,)) for number in range(n_cities)]
    )
    plans = [_plan(rows, _area(number)) for number in range(n_cities)]
    runs = []
    for n in workers:
        folder = out / f"workers_{n}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(rows, folder)
        execution = Metered(execution_of(n))
        began = time.monotonic()
        run_cities(execution, SharedStorage(str(folder)), plans, lambda line: say(f"  {line}"))
        seconds = time.monotonic() - began
        run = _measured(n, seconds, execution.cpu_seconds, rows, folder, plans)
        say(f"{n} workers: {run.seconds:.1f} s, {run.cpu_seconds:.1f} s of CPU")
        runs.append(run)
    return runs


def simulate_city(unit: Unit, seed: int) -> UnitReport:
    """Work that writes the tables of one synthetic city."""
    folder = unit.storage.folder
    if folder is None:
        raise ValueError("Synthetic cities are written to a folder.")
    preset = city_preset(FIRST_DAY, LAST_DAY, incidents_per_day=_INCIDENTS_PER_DAY)
    _, inputs = write_city_tables(folder, unit.area.name, preset, seed)
    return UnitReport(sums={"incidents": inputs.incidents.height})


def efficiency(runs: Sequence[ScalingRun]) -> dict[int, float]:
    """Share of the ideal speed-up over the run with fewest workers, by number of workers."""
    base = min(runs, key=lambda run: run.workers)
    work = base.seconds * base.workers
    return {run.workers: work / (run.seconds * run.workers) for run in runs}


def needs_of(runs: Sequence[ScalingRun], cell_days: float) -> Mapping[str, float]:
    """What a larger number of cell-days would take, in proportion to the largest run.

    Returns
    -------
    dict
        `core_hours`, and `terabytes` stored.
    """
    largest = max(runs, key=lambda run: run.workers)
    share = cell_days / largest.cell_days
    return {
        "core_hours": share * largest.cpu_seconds / 3600,
        "terabytes": share * largest.bytes_stored / 1e12,
    }


def write_scaling(out: Path, runs: Sequence[ScalingRun], n_cities: int) -> Path:
    """Write `scaling.json`: the runs, the efficiency, and what 10^10 cell-days would take."""
    found = {
        "cities": n_cities,
        "runs": [asdict(run) for run in runs],
        "efficiency": efficiency(runs),
        "ten_billion_cell_days": dict(needs_of(runs, 1e10)),
    }
    return write_text_whole(out / "scaling.json", json.dumps(found, indent=1) + "\n")


def _measured(
    workers: int,
    seconds: float,
    cpu_seconds: float,
    rows: Path,
    folder: Path,
    plans: Sequence[CityPlan],
) -> ScalingRun:
    digest, n_bytes = hashlib.sha256(), 0
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder)
        if not (rows / name).exists():
            content = path.read_bytes()
            n_bytes += len(content)
            digest.update(name.as_posix().encode() + hashlib.sha256(content).digest())
    days = len(Period(FIRST_DAY, LAST_DAY).days) + 1
    cells = sum(_n_cells(folder, plan.area) for plan in plans)
    return ScalingRun(workers, seconds, cpu_seconds, days * cells, n_bytes, digest.hexdigest())


def _n_cells(folder: Path, area: StudyArea) -> int:
    from htrisk_dagster.features.inputs import read_grid

    return read_grid(Partitions(folder, area.name), area).n_cells


def _area(number: int) -> StudyArea:
    name = f"city_{number:02d}"
    return load_area("nyc").model_copy(update={"name": name, "context": ContextPart()})


def _unit_of(rows: Path, area: StudyArea) -> Unit:
    period = Period(FIRST_DAY, LAST_DAY)
    return Unit(SharedStorage(str(rows)), area, 0, period, UnitSettings(TARGET_NAME))


def _plan(rows: Path, area: StudyArea) -> CityPlan:
    tables = Partitions(rows, area.name)
    inputs = read_inputs(tables, area, area.targets[TARGET_NAME], LAST_DAY)
    inputs = replace(inputs, history_start=FIRST_DAY)
    return CityPlan.of(area, TARGET_NAME, inputs, MONTH, LAST_DAY, EFFORTS["smoke"], models=MODELS)
