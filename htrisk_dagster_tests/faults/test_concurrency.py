"""Days, a range and the snapshot at once, an analyst beside them: as if one process had made it all."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import duckdb
import pytest
from htrisk_dagster.faults.concurrency import compared, make_days, publish
from htrisk_dagster.faults.kill_audit import KillAudit
from htrisk_dagster.faults.readers import analyst_at
from htrisk_dagster.schemas import predictions
from htrisk_dagster_tests.defs.small_city import City
from htrisk_dagster_tests.faults.conftest import Forked

DAYS = ["2024-04-01", "2024-04-02", "2024-04-03"]


@pytest.mark.extended  # 20 s of CPU
def test_days_at_once_are_those_of_one_after_another(forked: Forked) -> None:
    audit = KillAudit(forked.city.workspace)
    # A snapshot of the copy, whose name holds what it was made from.
    assert forked.template.run_together([partial(publish, 1)]) == [0]
    wanted = audit.contents()
    store = forked.city.workspace.tables("nyc")
    for day in DAYS:
        store.path(predictions.CELL_DAY_RISK, day).unlink()
    catalog = forked.city.workspace.build_catalog()
    works = [*(partial(make_days, [day]) for day in DAYS), partial(make_days, DAYS[:2]),
             partial(publish, 1)]  # fmt: skip

    with analyst_at(catalog) as analyst:
        ended = forked.template.run_together(works)

    said = [p.read_text() for p in forked.log.parent.glob("runs.*.log")]
    assert ended == [0] * len(works), said
    assert [text for text in said if "lock" in text.lower()] == []
    assert analyst.answers > 0
    # The snapshot that was made beside the days lacks those that were not there yet, and stays.
    assert forked.template.run_together([partial(publish, 1)]) == [0]
    assert [w for w in compared(wanted, audit) if "published/nyc/risk-" not in w] == []


def test_what_differs_from_the_serial_run_is_named(city_copy: City) -> None:
    audit = KillAudit(city_copy.workspace)
    wanted = audit.contents()
    store = city_copy.workspace.tables("nyc")
    path = store.path(predictions.CELL_DAY_RISK, DAYS[0])
    store.write(
        predictions.CELL_DAY_RISK, store.read(predictions.CELL_DAY_RISK, [DAYS[0]]).head(5), DAYS[0]
    )

    (wrong,) = compared(wanted, audit)
    name = path.relative_to(city_copy.settings.workspace)
    assert wrong == f"{name} is not as in the serial run."


def test_an_analyst_who_is_locked_out_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as made:
        made.execute("create schema predictions")
        for table in ("cell_day_risk", "model_forecasts"):
            made.execute(f"create table predictions.{table} as select 1 as one")
    holds = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", holds, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with analyst_at(path) as locked_out:
        pass
    holder.communicate(b"\n")
    with analyst_at(path) as alone:
        pass

    assert locked_out.answers == 0
    assert "Could not set lock on file" in locked_out.refused[0]
    assert alone.answers > 0
    assert alone.refused == []
