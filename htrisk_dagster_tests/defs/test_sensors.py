"""Sensors: spikes and drift are told once, by the sink that the settings name; drift asks for models."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from htrisk_dagster.definitions import build_definitions
from htrisk_dagster.defs import jobs
from htrisk_dagster.defs.sensors import build
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import SettingError
from htrisk_dagster.evaluation.calibration_drift import BAND
from htrisk_dagster.evaluation.input_drift import ALL_INPUTS
from htrisk_dagster.publishing.alert_sinks import AlertError
from htrisk_dagster.schemas.hot_places import SPIKE_ALERTS
from htrisk_dagster.schemas.predictions import DRIFT
from htrisk_dagster.settings import Settings, load_settings
from htrisk_dagster_tests.publishing.test_alert_sinks import hook, mail_host

Turn = Callable[[str | None], dg.SensorResult]
NEWEST = date(2026, 11, 20)


def turn_of(settings: Settings) -> Turn:
    return _turn_of(settings, 0)


def drift_turn_of(settings: Settings) -> Turn:
    return _turn_of(settings, 1)


def _turn_of(settings: Settings, number: int) -> Turn:
    workspace = Workspace(settings)
    area = workspace.area("nyc")
    sensor = build(area, jobs.build(area))[number]

    def turn(cursor: str | None) -> dg.SensorResult:
        context = dg.build_sensor_context(cursor=cursor, resources={"workspace": workspace})
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        return result

    return turn


def store_spikes(settings: Settings, alerts: dict[int, date]) -> None:
    """One row a precinct and day of the last three; those named are alerts."""
    rows = [
        {
            "target": "shootings", "reported_on": NEWEST - timedelta(days=back), "precinct": precinct,
            "incidents_count": 9, "expected_count": 0.5, "robust_z": 4.0, "isolation_score": 0.8,
            "p_value_prob": 1e-6, "false_alarm_rate": 0.05,
            "is_alert": alerts.get(precinct) == NEWEST - timedelta(days=back),
        }
        for back in range(3)
        for precinct in (40, 75, 110)
    ]  # fmt: skip
    frame = SPIKE_ALERTS.conform(pl.DataFrame(rows))
    Workspace(settings).tables("nyc").write(SPIKE_ALERTS, frame)


def lines(path: Path) -> list[tuple[int, str]]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [(r["precinct"], r["reported_on"]) for r in records]


def said(result: dg.SensorResult) -> str:
    reason = result.skip_reason
    assert isinstance(reason, dg.SkipReason)
    return reason.skip_message or ""


def test_each_spike_is_written_once_into_the_workspace(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    path = settings.workspace / "alerts" / "nyc.jsonl"
    turn = turn_of(settings)

    assert "not been made" in said(turn(None))
    store_spikes(settings, {75: NEWEST})
    first = turn(None)
    again = turn(first.cursor)
    store_spikes(settings, {75: NEWEST, 40: NEWEST - timedelta(days=1)})
    later = turn(again.cursor)

    assert lines(path) == [(75, "2026-11-20"), (40, "2026-11-19")]
    assert [said(result) for result in (first, again, later)] == [
        f"{n} new alerts, sink: file." for n in (1, 0, 1)
    ]


def test_a_sink_that_failed_gets_the_alert_at_the_next_turn(tmp_path: Path) -> None:
    with hook(status=500) as (url, _):
        broken = Settings(home=tmp_path, alert_sink="webhook", alert_target=url)
        store_spikes(broken, {75: NEWEST})
        with pytest.raises(AlertError, match="answered 500"):
            turn_of(broken)(None)
    # Nothing was marked as sent, so the cursor is as it was.
    with hook() as (url, bodies):
        turn = turn_of(Settings(home=tmp_path, alert_sink="webhook", alert_target=url))
        turn(turn(None).cursor)

    assert [len(body["alerts"]) for body in bodies] == [1]


def test_mail_and_silence(tmp_path: Path) -> None:
    with mail_host() as (port, messages):
        address = f"smtp://127.0.0.1:{port}/desk@example.org"
        settings = Settings(home=tmp_path, alert_sink="email", alert_target=address)
        store_spikes(settings, {75: NEWEST, 110: NEWEST})
        turn_of(settings)(None)
        turn_of(Settings(home=tmp_path, alert_sink="none"))(None)

    assert len(messages) == 1
    assert "2 spike alerts" in messages[0][1]
    assert not (settings.workspace / "alerts").exists()


def test_a_file_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "shared" / "alerts.jsonl"
    settings = Settings(home=tmp_path / "home", alert_target=str(path))
    store_spikes(settings, {110: NEWEST})

    turn_of(settings)(None)

    assert lines(path) == [(110, "2026-11-20")]


@pytest.mark.parametrize("sink", ["email", "webhook"])
def test_a_sink_without_an_address_is_refused(sink: str) -> None:
    with pytest.raises(SettingError, match="alert_target"):
        load_settings(alert_sink=sink)


def test_the_address_is_not_shown(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, alert_sink="webhook", alert_target="https://a.org/secret")

    assert "secret" not in repr(settings).replace("Secret", "")


def test_dagster_loads_it_switched_off(tmp_path: Path) -> None:
    repository = build_definitions(Settings(home=tmp_path)).get_repository_def()

    assert {sensor.name for sensor in repository.sensor_defs} == {
        f"{area}_{sensor}"
        for area in ("nyc", "detroit", "connecticut")
        for sensor in ("spike_alert_sensor", "drift_sensor")
    }
    for sensor in repository.sensor_defs:
        assert sensor.default_status is dg.DefaultSensorStatus.STOPPED


def store_drift(settings: Settings, *, inputs: bool, calibration: bool, month: date) -> None:
    """A feature and the band, each within or far outside its limits."""
    rows = [
        {
            "as_of_on": NEWEST, "champion_month_on": month, "watched": watched, "measure": name,
            "statistic": 9.0 if alarm else 1.0, "lower": 0.5, "upper": 2.0, "is_alarm": alarm,
        }
        for watched, name, alarm in (
            ("inputs", "target_lag_1", inputs), ("inputs", ALL_INPUTS, inputs),
            ("calibration", BAND, calibration),
        )
    ]  # fmt: skip
    Workspace(settings).tables("nyc").write(DRIFT, DRIFT.conform(pl.DataFrame(rows)))


def told(settings: Settings) -> list[tuple[str, str]]:
    path = settings.workspace / "alerts" / "nyc.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [(r["watched"], r["champion_month_on"]) for r in records]


def test_no_drift_tells_nobody_and_asks_for_nothing(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    turn = drift_turn_of(settings)
    assert "not been made" in said(turn(None))
    store_drift(settings, inputs=False, calibration=False, month=date(2026, 10, 1))

    result = turn(None)

    assert not result.run_requests
    assert said(result).startswith("0 new alerts")
    assert told(settings) == []


def test_drift_is_told_once_a_champion_and_asks_for_the_models_of_the_newest_month(
    tmp_path: Path,
) -> None:
    settings = Settings(home=tmp_path)
    turn = drift_turn_of(settings)
    store_drift(settings, inputs=True, calibration=True, month=date(2026, 9, 1))

    first = turn(None)
    again = turn(first.cursor)

    assert told(settings) == [("inputs", "2026-09-01"), ("calibration", "2026-09-01")]
    (request,) = first.run_requests or []
    assert (request.partition_key, request.run_key) == ("2026-11-01", "drift/2026-11-01")
    assert not again.run_requests
    # The new champion drifts too: another alert. Models of this month saw all there is for them.
    store_drift(settings, inputs=False, calibration=True, month=date(2026, 11, 1))
    third = turn(again.cursor)
    assert told(settings)[2:] == [("calibration", "2026-11-01")]
    assert not third.run_requests
    assert said(third) == "1 new alerts of drift, no younger models to train."
