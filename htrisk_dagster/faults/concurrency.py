"""Everything at once: twenty days, a back-fill, the schedules, the dashboard, an analyst.

Belongs here: what is started together, and what must have come of it. Does not: the processes
(`killed_process`), the readers (`readers`), kills (`kill`).

Twenty processes make a day each; another makes a range over the same days; one does what the schedules
ask for at a morning, dbt included; one publishes the snapshot again and again, while people read the
dashboard and an analyst opens the catalog, for writing too. What is stored in the end must be what
one process made of it alone.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from htrisk_dagster.defs.partitions import days_of
from htrisk_dagster.defs.plan import Step
from htrisk_dagster.defs.runs import TERMINAL, local_runner
from htrisk_dagster.defs.servers import Ports, commands, environment
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.faults.kill_audit import KillAudit
from htrisk_dagster.faults.killed_city import END, START, KillCity
from htrisk_dagster.faults.killed_process import Template, Work
from htrisk_dagster.faults.readers import Heard, analyst_at, people_at
from htrisk_dagster.faults.server_process import Server, answers, wait_until
from htrisk_dagster.settings import Settings
from htrisk_dagster.warehouse.catalog import FILE_NAME as CATALOG

DAYS = (date(2024, 4, 1), date(2024, 4, 20))
MORNING = datetime(2024, 4, 10, 12, tzinfo=UTC)
"""When the schedules tick: seven in the morning of the city."""
TICKS = ("reports_daily", "place_daily", "score_tomorrow")
SCORED = (
    "features/cell_day", "predictions/model_forecasts", "predictions/cell_day_risk",
    "predictions/precinct_day_risk", "publishing/risk_map",
)  # fmt: skip
_PAGES = ("/", "/data/drawing", "/data/risk/2024-04", "/download/risk/2024-04-02.csv")
_PEOPLE, _SNAPSHOTS = 4, 3
# What DuckDB and SQLite say of a lock; nobody may ever read it.
_OF_LOCKS = ("Could not set lock", "Conflicting lock", "database is locked", "Traceback")


def make_days(days: Sequence[str], settings: Settings, definitions: dg.Definitions) -> None:
    """Make features, forecasts, risk and maps of days, a run for each asset."""
    workspace = Workspace(settings)
    area = workspace.area(settings.area)
    with local_runner(definitions, workspace, area, print) as runner:
        for asset in SCORED:
            runner.materialise(Step(f"{asset} of {days[0]}", (asset,), tuple(days)))


def publish(times: int, settings: Settings, definitions: dg.Definitions) -> None:
    """Publish the snapshot so many times."""
    workspace = Workspace(settings)
    area = workspace.area(settings.area)
    with local_runner(definitions, workspace, area, print) as runner:
        for number in range(times):
            runner.materialise(Step(f"Snapshot {number}", ("publishing/snapshot",)))


def tick(at: datetime, settings: Settings, definitions: dg.Definitions) -> None:
    """Do what the daily schedules ask for at a moment, in their order.

    Raises
    ------
    RuntimeError
        Where a run that a schedule asked for fails.
    """
    repository = definitions.get_repository_def()
    home = str(settings.dagster_home)
    with dg.DagsterInstance.from_config(home) as instance:
        for name in TICKS:
            schedule = repository.get_schedule_def(f"{settings.area}_{name}")
            context = dg.build_schedule_context(
                instance, scheduled_execution_time=at, repository_def=repository
            )
            for request in schedule.evaluate_tick(context).run_requests or ():
                job = definitions.resolve_job_def(schedule.job_name)
                done = job.execute_in_process(
                    instance=instance,
                    partition_key=request.partition_key,
                    tags=dict(request.tags),
                    run_config={"loggers": {TERMINAL: {}}},
                    raise_on_error=False,
                )
                if not done.success:
                    said = [e.event_specific_data for e in done.all_events if e.is_failure]
                    raise RuntimeError(f"{schedule.job_name} failed: {said}")


def everything_at_once(
    settings: Settings, template: Template, log: Path, days: Sequence[str]
) -> list[str]:
    """Start it all together and say what went wrong, a sentence each."""
    half = len(days) // 2
    works: list[Work] = [
        *(partial(make_days, [day]) for day in days),
        partial(make_days, days[:half]),
        partial(tick, MORNING),
        partial(publish, _SNAPSHOTS),
    ]
    catalog = Workspace(settings).build_catalog()
    with _dashboard(settings, log) as people, analyst_at(catalog) as analyst:
        ended = template.run_together(works)
    wrong = [
        f"Process {number} ended with {status}. {_end_of(_log_of(log, number))}"
        for number, status in enumerate(ended)
        if status
    ]
    for number in range(len(works)):
        text = _log_of(log, number).read_text(errors="replace")
        wrong += [f"Process {number} said '{said}'." for said in _OF_LOCKS if said in text]
    for who, heard in (("The analyst", analyst), ("A reader", people)):
        told = Counter(heard.refused)
        wrong += [f"{who} was told {times} times: {said}" for said, times in told.items()]
        wrong += [] if heard.answers else [f"{who} never got an answer."]
    return wrong


def compared(wanted: dict[str, str], audit: KillAudit) -> list[str]:
    """What is not as one process alone has made it, and what is not whole or still held."""
    found = audit.contents()
    differing = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
    return [
        # The catalog has the views that there are at its hour.
        *(f"{name} is not as in the serial run." for name in differing if CATALOG not in name),
        *audit.after_kill(),
        *audit.after_start(),
    ]


@contextmanager
def _dashboard(settings: Settings, log: Path) -> Iterator[Heard]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = commands(settings, Ports(0, 0, port), with_drafts=True)["dashboard"]
    server = Server(command, environment(settings), log.with_name("dashboard.log"))
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(f"{address}/"), "the dashboard answers", log)
        with people_at([address + page for page in _PAGES], _PEOPLE) as heard:
            yield heard
    finally:
        server.kill()


def _log_of(log: Path, number: int) -> Path:
    return log.with_suffix(f".{number}{log.suffix}")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-1500:]


def run_part(out: Path, *, n: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Do it all at once `n` times; see `report.PartResult` for the result."""
    folder = out / "concurrency"
    city, log = KillCity(folder / "city"), folder / "runs.log"
    city.publish()
    city.clear()
    days = days_of(*DAYS)
    wrong: list[str] = []
    with Template(city.settings, (START, END), log) as template:
        say("One process alone.")
        template.run({})
        alone = template.run_together([partial(make_days, days)]) + template.run_together(
            [partial(tick, MORNING)]
        )
        alone += template.run_together([partial(publish, 1)])
        wrong += [f"Alone, a process ended with {status}." for status in alone if status]
        audit = KillAudit(Workspace(city.settings))
        wanted = audit.contents()
        for turn in range(n):
            say(f"All at once, {turn + 1} of {n}.")
            wrong += everything_at_once(city.settings, template, log, days)
            wrong += compared(wanted, audit)
    for line in wrong:
        say(line)
    return {
        "cases": n * (len(days) + 3),
        "failed": len(wrong),
        "ends": {"as in the serial run": n * (len(days) + 3) if not wrong else 0},
        "failures": wrong,
    }
