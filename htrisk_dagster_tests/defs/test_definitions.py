"""What Dagster loads: assets, jobs, schedules, partitions, from an empty environment."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator
from htrisk_dagster.definitions import build_definitions
from htrisk_dagster.defs.partitions import report_months, risk_days, training_months
from htrisk_dagster.defs.series_outlook import MADE_ON
from htrisk_dagster.schemas import ALL_TABLES, raw
from htrisk_dagster.settings import Settings
from htrisk_dagster.study_areas.area import FOLDER, load_area

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "htrisk_dagster_tests" / "golden" / "asset_keys.txt"
NEW_YORK = ZoneInfo("America/New_York")
ZONES = {"nyc": "America/New_York", "detroit": "America/Detroit", "connecticut": "America/New_York"}
# New York has no file of its own layout; Detroit has. It declares no agencies: their tables are
# those of areas that do (`test_agency_assets`).
TABLES = {
    f"{'detroit' if t is raw.INCIDENT_REPORTS else 'nyc'}/{t.layer}/{t.name}": t
    for t in ALL_TABLES
    if t.layer not in ("nibrs", "agencies")
}


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_definitions(Settings(home=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {s.key.to_user_string(): s for s in definitions.resolve_all_asset_specs()}


def test_they_load_with_nothing_in_the_environment(tmp_path: Path) -> None:
    script = (
        "import json\n"
        "from htrisk_dagster.definitions import defs\n"
        "keys = [s.key.to_user_string() for s in defs().resolve_all_asset_specs()]\n"
        "print(json.dumps(keys))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={}, cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout)) == GOLDEN.read_text().split()
    assert list(tmp_path.iterdir()) == [], "loading writes nothing"


def test_asset_keys_are_those_of_the_golden_file(specs: dict[str, dg.AssetSpec]) -> None:
    assert sorted(specs) == GOLDEN.read_text().split()


def test_every_asset_says_what_it_is(specs: dict[str, dg.AssetSpec]) -> None:
    for key, spec in specs.items():
        area, layer, _ = key.split("/")
        # Cases and reviews have a group of their own; of the case records only published tables leave.
        own_group = "verified_case" in key or layer == "restricted"
        restricted = own_group or (area == "ctdc" and not key.endswith("/published_tables"))
        assert len(spec.description or "") > 20, key
        assert spec.group_name == f"{area}_{'restricted' if own_group else layer}", key
        assert spec.kinds, key
        assert (spec.tags.get("access") == "restricted") == restricted, key


def test_every_table_shows_its_columns(specs: dict[str, dg.AssetSpec]) -> None:
    shown = TABLES.keys() & specs.keys()
    # The ledger and the quarantine are written by every raw asset, and are none of their own.
    assert TABLES.keys() - shown == {"nyc/raw/intake", "nyc/raw/quarantine"}
    for key in shown:
        schema = specs[key].metadata["dagster/column_schema"]
        schema = schema.schema if isinstance(schema, dg.TableSchemaMetadataValue) else schema
        assert [c.name for c in schema.columns] == TABLES[key].column_names, key
        assert all(c.description for c in schema.columns), key


def test_jobs_and_schedules(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")} == {
        *(
            f"{area}_{job}"
            for area in ZONES
            for job in (
                "refresh_reports",
                "place_incidents",
                "retrain",
                "score",
                "evaluate",
                "forecast_series",
            )
        ),
        "connecticut_agencies",
        "ctdc_analyse",
    }
    assert {
        (s.name, s.cron_schedule, s.job_name, s.execution_timezone)
        for s in repository.schedule_defs
    } == {
        (f"{area}_{name}", cron, f"{area}_{job}", zone)
        for area, zone in ZONES.items()
        for name, cron, job in (
            ("reports_daily", "0 4 * * *", "refresh_reports"),
            ("place_daily", "30 4 * * *", "place_incidents"),
            ("retrain_monthly", "0 1 1 * *", "retrain"),
            ("score_tomorrow", "30 5 * * *", "score"),
            ("evaluate_daily", "0 6 * * *", "evaluate"),
            ("series_monthly", "0 7 8 * *", "forecast_series"),
        )
    } | {("connecticut_agencies_monthly", "0 2 1 * *", "connecticut_agencies", "America/New_York")}
    for schedule in repository.schedule_defs:
        assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED


def test_no_area_leans_on_another(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        for other in graph.get(key).parent_keys:
            assert other.path[0] == key.path[0], (key, other)


def test_an_area_has_the_raw_tables_that_it_declares(specs: dict[str, dg.AssetSpec]) -> None:
    by_area = {
        area: {key.split("/")[2] for key in specs if key.startswith(f"{area}/raw/")}
        for area in ZONES
    }
    own = {"incident_reports", "boroughs", "precincts", "holidays", "offence_groups"}
    assert by_area["connecticut"] == own
    assert by_area["detroit"] == {*own, "places_of_interest"}
    assert {"complaints", "permitted_events", "tax_lots"} < by_area["nyc"]
    assert "incident_reports" not in by_area["nyc"]


def test_each_area_has_groups_of_its_own(specs: dict[str, dg.AssetSpec]) -> None:
    groups = {
        area: {s.group_name for k, s in specs.items() if k.startswith(f"{area}/")} for area in ZONES
    }
    of_all = {
        "raw", "restricted", "staging", "marts", "grid", "context", "hotspots", "features", "models",
        "predictions", "publishing", "governance", "evaluation", "series",
    }  # fmt: skip
    for area, found in groups.items():
        own = {"nibrs", "agencies"} if area == "connecticut" else set()
        assert found == {f"{area}_{group}" for group in of_all | own}


def test_places_are_related_where_a_city_has_places_and_points(
    specs: dict[str, dg.AssetSpec],
) -> None:
    found = {key.split("/")[0] for key in specs if key.endswith("/evaluation/place_relation")}
    assert found == {"nyc", "detroit"}


def test_a_study_area_of_the_users_own_is_one_of_them(tmp_path: Path) -> None:
    text = (
        (FOLDER / "connecticut.toml").read_text().replace('name = "connecticut"', 'name = "mine"')
    )
    (tmp_path / "mine.toml").write_text(text.replace("America/New_York", "Pacific/Auckland"))
    settings = Settings(home=tmp_path / "home", study_areas=tmp_path)
    made = build_definitions(settings)
    groups = {s.group_name for s in made.resolve_all_asset_specs()}
    assert {"mine_raw", "mine_predictions", "nyc_raw", "detroit_raw"} <= groups
    schedules = {s.name: s for s in made.get_repository_def().schedule_defs}
    assert schedules["mine_score_tomorrow"].execution_timezone == "Pacific/Auckland"
    # New Zealand is thirteen hours ahead in January: tomorrow there is not tomorrow here.
    at = datetime(2025, 1, 9, 16, 30, tzinfo=UTC)
    assert _request(made, "mine_score_tomorrow", at).partition_key == "2025-01-11"
    only = build_definitions(settings, ["mine"]).resolve_all_asset_specs()
    assert {s.key.path[0] for s in only} == {"mine", "ctdc"}


def test_every_asset_but_those_of_one_grain_is_in_a_job(
    definitions: dg.Definitions, specs: dict[str, dg.AssetSpec]
) -> None:
    jobs = [j for j in definitions.get_repository_def().get_all_jobs() if j.name[:2] != "__"]
    run = {key.to_user_string() for job in jobs for key in job.asset_layer.selected_asset_keys}
    assert run == set(specs)


# 10 March 2024 has 23 hours in New York and 3 November 2024 has 25.
@pytest.mark.parametrize(
    ("local", "tomorrow", "yesterdays_month"),
    [
        ("2024-07-15T05:30", "2024-07-16", "2024-07-01"),
        ("2024-03-09T05:30", "2024-03-10", "2024-03-01"),
        ("2024-03-10T05:30", "2024-03-11", "2024-03-01"),
        ("2024-11-03T05:30", "2024-11-04", "2024-11-01"),
        ("2024-11-30T05:30", "2024-12-01", "2024-11-01"),
        ("2024-12-31T05:30", "2025-01-01", "2024-12-01"),
        # At 23:30 in New York it is tomorrow in UTC already.
        ("2024-12-31T23:30", "2025-01-01", "2024-12-01"),
        ("2025-01-01T04:00", "2025-01-02", "2024-12-01"),
    ],
)
def test_schedules_ask_for_partitions_by_the_day_in_new_york(
    definitions: dg.Definitions, local: str, tomorrow: str, yesterdays_month: str
) -> None:
    at = datetime.fromisoformat(local).replace(tzinfo=NEW_YORK).astimezone(UTC)

    assert _request(definitions, "nyc_score_tomorrow", at).partition_key == tomorrow
    reports = _request(definitions, "nyc_reports_daily", at)
    assert reports.tags["dagster/asset_partition_range_end"] == yesterdays_month
    assert _request(definitions, "nyc_place_daily", at).partition_key is None


@pytest.mark.parametrize(
    "instant",
    # 1 November 2026, 01:00, comes twice: clocks go back an hour later.
    ["2026-11-01T05:00", "2026-11-01T06:00", "2026-11-01T07:30"],
)
def test_the_month_is_retrained_once(definitions: dg.Definitions, instant: str) -> None:
    at = datetime.fromisoformat(instant).replace(tzinfo=UTC)

    request = _request(definitions, "nyc_retrain_monthly", at)

    assert request.partition_key == "2026-11-01"
    # Dagster starts no second run for a key that it has seen.
    assert request.run_key == "2026-11"


def test_the_series_of_a_month_are_forecast_on_its_eighth(definitions: dg.Definitions) -> None:
    at = datetime(2024, 3, 8, 7, 0, tzinfo=NEW_YORK).astimezone(UTC)
    request = _request(definitions, "nyc_series_monthly", at)
    assert (request.partition_key, request.run_key) == ("2024-03-01", "2024-03")
    assert at.astimezone(NEW_YORK).day == MADE_ON


def test_what_schedules_ask_for_exists() -> None:
    area = load_area("nyc")
    early = datetime(2024, 12, 31, 4, 0, tzinfo=NEW_YORK)
    midnight = datetime(2025, 1, 1, 1, 0, tzinfo=NEW_YORK)

    assert "2025-01-01" in risk_days(area).get_partition_keys(current_time=early)
    assert "2024-12-01" in report_months(area).get_partition_keys(current_time=early)
    assert "2025-01-01" in training_months(area).get_partition_keys(current_time=midnight)


@pytest.mark.parametrize("now", [date(2019, 6, 1), date(2024, 3, 10), date(2031, 1, 1)])
def test_partitions_begin_on_a_fixed_day_and_end_after_tomorrow(now: date) -> None:
    area = load_area("nyc")
    noon = datetime(now.year, now.month, now.day, 12, tzinfo=NEW_YORK)

    days = risk_days(area).get_partition_keys(current_time=noon)
    months = report_months(area).get_partition_keys(current_time=noon)

    assert days[0] == "2014-01-01"
    assert months[0] == "2014-01-01"
    assert date.fromisoformat(days[-1]) == date.fromordinal(now.toordinal() + 1)
    assert months[-1] == now.replace(day=1).isoformat()
    assert len(days) == len(set(days)) == (now - date(2014, 1, 1)).days + 2


@pytest.mark.parametrize(
    ("local", "months"),
    [
        # A site that was silent over the turn of the month is asked for both.
        ("2024-04-03T04:00", ["2024-03-01", "2024-04-01"]),
        ("2024-03-01T04:00", ["2024-01-01", "2024-02-01"]),
        ("2025-01-01T04:00", ["2024-11-01", "2024-12-01"]),
        ("2014-01-20T04:00", ["2014-01-01"]),
    ],
)
def test_the_month_before_is_read_again_too(
    definitions: dg.Definitions, local: str, months: list[str]
) -> None:
    at = datetime.fromisoformat(local).replace(tzinfo=NEW_YORK).astimezone(UTC)

    request = _request(definitions, "nyc_reports_daily", at)

    ends = [request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end")]
    assert ends == [months[0], months[-1]]


@pytest.mark.parametrize("year", [2024, 2026])
def test_a_daily_schedule_ticks_once_a_local_day_whatever_its_length(
    definitions: dg.Definitions, year: int
) -> None:
    """A leap year and a common one, with their days of 23 and 25 hours, asked of Dagster itself."""
    begin = datetime(year, 1, 1, tzinfo=NEW_YORK)
    days = [date(year, 1, 1) + timedelta(days=i) for i in range(365 + (year == 2024))]
    for name in ("reports_daily", "score_tomorrow"):
        schedule = definitions.get_repository_def().get_schedule_def(f"nyc_{name}")
        ticks = schedule_execution_time_iterator(
            begin.timestamp(), str(schedule.cron_schedule), schedule.execution_timezone, True
        )
        local = [next(ticks).astimezone(NEW_YORK) for _ in days]
        assert [tick.date() for tick in local] == days
        assert len({(tick.hour, tick.minute) for tick in local}) == 1


def _request(definitions: dg.Definitions, name: str, at: datetime) -> dg.RunRequest:
    repository = definitions.get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance, repository_def=repository, scheduled_execution_time=at
        )
        data = repository.get_schedule_def(name).evaluate_tick(context)
    (request,) = data.run_requests
    return request
