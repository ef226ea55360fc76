"""Twenty kills of the graph, and an audit that sees what a kill must not leave."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
from dagster._core.storage.dagster_run import DagsterRun
from htrisk_dagster.defs.dead_runs import left_undone
from htrisk_dagster.defs.plan import Step
from htrisk_dagster.errors import HtriskError
from htrisk_dagster.faults.kill import Killer, aims_at, kill_rounds, stage_of
from htrisk_dagster.faults.kill_audit import KillAudit
from htrisk_dagster.faults.kill_record import (
    BY_CHANGE,
    BY_CLOCK,
    Kill,
    Record,
    Usual,
    result_of,
)
from htrisk_dagster.faults.killed_process import Aim, Template, last_of
from htrisk_dagster.schemas import predictions
from htrisk_dagster.warehouse.leftovers import beside
from htrisk_dagster_tests.defs.small_city import City
from htrisk_dagster_tests.faults.conftest import Forked

DAY, OTHER = "2024-04-03", "2024-04-04"
MONTH = "2024-04-01"
# One of each stage but dbt's, whose start alone takes longer than all of these.
STEPS = (
    Step("raw", ("raw/holidays", "raw/offence_groups")),
    Step("features", ("features/cell_day",), (DAY, OTHER)),
    Step("training", ("models/stack",), (MONTH,)),
    Step("prediction", ("predictions/model_forecasts",), (DAY, OTHER)),
    Step("risk", ("predictions/cell_day_risk",), (DAY, OTHER)),
    Step("publishing", ("publishing/risk_map",), (DAY, OTHER)),
)


@pytest.mark.slow  # 25 s of CPU
def test_twenty_kills_leave_nothing_torn_and_the_repeat_gives_the_same_bytes(
    forked: Forked,
) -> None:
    workspace = forked.city.workspace
    wanted = KillAudit(workspace).contents()
    moments = np.linspace(0.05, 0.95, 20)
    aims: dict[str, list[Aim]] = {last_of(step): [] for step in STEPS}
    for i, moment in enumerate(moments):
        by_clock = i % 2 == 0
        aim = Aim(BY_CLOCK, moment) if by_clock else Aim(BY_CHANGE, 1 + i // 2)
        aims[last_of(STEPS[i % len(STEPS)])].append(aim)

    killer = Killer(workspace, forked.template, forked.log)
    kills = list(killer.kill(aims, lambda: True, STEPS))

    assert [k.wrong for k in kills] == [[]] * len(kills)
    # A moment of the clock may come after the end of a step on a fast machine.
    assert len(kills) >= 15
    assert {k.stage for k in kills} >= {"raw", "features", "training", "prediction"}
    assert any(k.half_written for k in kills)
    assert any(k.replaced and not k.half_written for k in kills)
    found = KillAudit(workspace).contents()
    assert {n for n in wanted if found.get(n) != wanted[n]} == set()
    assert set(found) == set(wanted)
    with forked.city.instance() as instance:
        assert left_undone(instance) == {}


def test_a_run_that_is_not_killed_and_fails_is_told(city_copy: City, tmp_path: Path) -> None:
    """Not taken for a kill: the harness must not call a broken program whole."""
    killer = Killer(city_copy.workspace, FailingTemplate(), tmp_path / "runs.log")
    (tmp_path / "runs.log").write_text("ValueError: bad data")
    with pytest.raises(HtriskError, match=r"that was not killed ended with 256.*bad data"):
        killer.undisturbed()


class FailingTemplate(Template):
    """A template whose children end with an error."""

    def __init__(self) -> None:
        pass

    def run(self, aims, steps=None):
        from htrisk_dagster.faults.killed_process import Lived

        return Lived(status=256)


def test_the_audit_sees_whatever_a_kill_must_not_leave(city_copy: City) -> None:
    audit = KillAudit(city_copy.workspace)
    assert [*audit.after_kill(), *audit.after_start()] == []
    store = city_copy.workspace.tables("nyc")
    risk = store.path(predictions.CELL_DAY_RISK, DAY)
    whole = risk.read_bytes()

    risk.write_bytes(whole[:-9])
    (torn,) = audit.after_kill()
    assert torn.startswith(f"{risk} is torn: ")
    risk.write_bytes(whole)

    store.path(predictions.MODEL_FORECASTS, OTHER).write_bytes(
        store.path(predictions.MODEL_FORECASTS, DAY).read_bytes()
    )
    assert f"The forecasts of {OTHER} are not as sealed." in audit.after_start()

    risk.unlink()
    assert (
        f"predictions/cell_day_risk {DAY} is said to be made and is absent." in audit.after_kill()
    )

    card = city_copy.workspace.models(city_copy.area).folder(MONTH, "etas") / "card.json"
    card.write_text(card.read_text()[:-3])
    assert any(w.startswith(f"{card} is torn: JSONDecodeError") for w in audit.after_kill())


def test_the_audit_sees_what_the_dead_hold(city_copy: City) -> None:
    audit = KillAudit(city_copy.workspace)
    with city_copy.instance() as instance:
        run = instance.add_run(DagsterRun("job", status=dg.DagsterRunStatus.STARTED))
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default("htrisk_training")
        storage.claim_concurrency_slot("htrisk_training", run.run_id, "step")
        instance.report_runless_asset_event(
            dg.AssetMaterialization(["nyc", "features", "cell_day"], partition="2031-01-01")
        )
    left = beside(city_copy.settings.warehouse / "x.parquet")
    left.write_bytes(b"half")
    city_copy.settings.mlflow_store.mkdir()
    with closing(sqlite3.connect(city_copy.settings.mlflow_store / "mlflow.db")) as mlflow:
        mlflow.execute("create table runs as select 'a1' as run_uuid, 'RUNNING' as status")
        mlflow.commit()

    assert audit.after_kill() == ["features/cell_day 2031-01-01 is said to be made and is absent."]
    assert audit.after_start() == [
        f"{left} is left half-written.",
        f"Run {run.run_id} is shown as under way.",
        f"Run {run.run_id} keeps a slot of pool htrisk_training.",
        "Run a1 of MLflow is shown as RUNNING.",
    ]


def test_a_lock_that_stays_is_seen(city_copy: City) -> None:
    path = city_copy.settings.dagster_home / "history" / "runs.db"
    with closing(sqlite3.connect(path)) as holder:
        holder.execute("begin immediate")
        (wrong,) = KillAudit(city_copy.workspace).after_start()
    assert wrong == f"{path} cannot be written to: database is locked."


USUAL = [Usual("models/lstm", "training", 4.0, 30), Usual("marts/cells", "staging", 9.0, 50)]


def test_moments_cover_a_step_by_both_ways_and_follow_the_seed() -> None:
    drawn = [aims_at(USUAL, np.random.default_rng([1, i])) for i in range(200)]
    lstm = [a for aims in drawn for a in aims["models/lstm"]]
    clock = [a.at for a in lstm if a.by == BY_CLOCK]
    change = [a.at for a in lstm if a.by == BY_CHANGE]

    assert len(lstm) / 200 == pytest.approx(4, abs=0.4)
    assert sum(len(a["marts/cells"]) for a in drawn) / 200 == pytest.approx(1, abs=0.25)
    assert len(clock) / len(lstm) == pytest.approx(0.5, abs=0.08)
    assert 0 < min(clock) < 0.4 < 4.0 < max(clock) < 4.4
    assert (min(change), max(change)) == (1, 30)
    assert drawn[3] == aims_at(USUAL, np.random.default_rng([1, 3]))


def test_a_record_is_read_as_written_and_told_by_stage(tmp_path: Path) -> None:
    kills = [
        Kill("raw", "Read", BY_CLOCK, 0.5, 1, 0, []),
        Kill("raw", "Read", BY_CHANGE, 3, 0, 2, ["a.parquet is torn: it is empty"]),
        Kill("daemon", "alone", BY_CLOCK, 3, 0, 0, []),
    ]
    record = Record("code", 4, {"first": USUAL}, {"first": {"a": "1"}}, kills, 2, ["b differs."])
    record.write(tmp_path / "kills.json")
    assert Record.read(tmp_path / "kills.json") == record

    result = result_of(record)
    assert (result["cases"], result["failed"]) == (3, 2)
    assert result["failures"] == ["Read: a.parquet is torn: it is empty", "b differs."]
    assert result["table"][0] == {
        "stage": "raw", "kills": 2, "by the clock": 1, "while a file was half written": 1,
        "between two files of a step": 1, "wrong": 1,
    }  # fmt: skip
    json.dumps(result)


def test_a_record_of_other_code_is_not_gone_on_from(tmp_path: Path) -> None:
    Record("other", 1).write(tmp_path / "kills.json")
    with pytest.raises(
        HtriskError, match=r"of seed 1 and code other, not of 1 and .* another --out"
    ):
        kill_rounds(tmp_path, count=1, seconds=1, seed=1, say=print)


def test_every_layer_of_the_graph_has_a_stage(city: City) -> None:
    layers = {
        key.path[1]
        for key in city.definitions.resolve_asset_graph().get_all_asset_keys()
        if key.path[0] == "nyc" and key.path[1] not in ("series", "agencies")
    }
    assert {stage_of(Step("x", (f"{layer}/a",))) for layer in layers}
