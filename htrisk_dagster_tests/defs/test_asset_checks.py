"""Every asset check of our own passes on the city and fails on a planted fault, run by Dagster.

dbt's tests, which are asset checks too, are in `test_dbt_checks.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import dagster as dg
import polars as pl
import pytest
from htrisk_dagster.defs.featured import features_table
from htrisk_dagster.evaluation.calibration_drift import BAND
from htrisk_dagster.schemas import (
    context,
    context_sources,
    governance,
    grid,
    hot_places,
    hotspots,
    predictions,
    raw,
    staging,
    verified,
    zones,
)
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import load_area
from htrisk_dagster.warehouse.catalog import build_catalog
from htrisk_dagster_tests.defs.small_city import City

Change = Callable[[pl.DataFrame], pl.DataFrame]
Fault = list[tuple[Table, str, Change]]
Evaluate = Callable[[str], dict[str, dg.AssetCheckEvaluation]]

NEWEST = "2024-04-05"
NO_CELL = pl.lit(None, pl.Int32)
FEATURES = features_table(load_area("nyc"))
FROM_FILES = [
    t.name for t in (raw.COMPLAINTS, raw.FELONIES, raw.SHOOTINGS, raw.PERMITTED_EVENTS,
                     raw.TRANSIT_RIDERSHIP, raw.AIRPORT_PASSENGERS, raw.BOROUGHS, raw.PRECINCTS,
                     *context_sources.TABLES)
]  # fmt: skip


def in_row(row: int, column: str, value: object) -> Change:
    """Put one value into one row."""
    here = pl.int_range(pl.len()) == row
    return lambda f: f.with_columns(
        pl.when(here).then(pl.lit(value)).otherwise(column).cast(f.schema[column]).alias(column)
    )


def ledger(read: int, kept: int, refused: int) -> Change:
    """Replace the ledger by one file of so many rows."""
    values = {
        "source": "any", "source_file": "any.csv", "layout": "CSV", "sha256": "0",
        "rows_read_count": read, "rows_kept_count": kept, "rows_quarantined_count": refused,
    }  # fmt: skip
    return lambda f: pl.DataFrame([values], schema=f.schema)


def headed(table: str, *columns: str) -> Change:
    """Replace the ledger by one file of the table with such columns."""
    values = {
        "source": table, "source_file": "any.csv", "layout": "CSV", "sha256": "0", "columns": columns,
        "rows_read_count": 1, "rows_kept_count": 1, "rows_quarantined_count": 0,
    }  # fmt: skip
    return lambda f: pl.DataFrame([values], schema=f.schema)


def reported_before(day: date) -> Change:
    return lambda f: f.filter(pl.col("reported_on") < day)


def risk(change: Change) -> Fault:
    return [(predictions.CELL_DAY_RISK, NEWEST, change)]


def features(change: Change) -> Fault:
    return [(FEATURES, NEWEST, change)]


def hot(table: Table, change: Change) -> Fault:
    return [(table, "all", change)]


def document(table: Table, change: Change) -> Fault:
    return [(table, "2024-04-01", change)]


def drifted(watched: str, name: str) -> Fault:
    """One statistic far outside its band."""
    row = {
        "as_of_on": date(2024, 4, 5), "champion_month_on": date(2024, 4, 1), "watched": watched,
        "measure": name, "statistic": 9.0, "lower": 0.5, "upper": 2.0, "is_alarm": True,
    }  # fmt: skip
    return [(predictions.DRIFT, "all", lambda f: pl.DataFrame([row], schema=f.schema))]


def foreseen() -> Fault:
    """Incidents of each day in a cell of its own, and a model that has known which."""
    first = date(2024, 3, 30)
    day = (pl.col("occurred_on") - first).dt.total_days()
    is_target = pl.col("offence_group").is_in(["prostitution_related", "kidnapping"]) & (day >= 0)
    moved = pl.when(is_target).then(100 + 10 * day).otherwise("cell_id").cast(pl.Int32)
    known = pl.col("cell_id") == 100 + 10 * (pl.col("risk_on") - first).dt.total_days()
    sure = pl.when(known).then(1.0).otherwise(1e-6)
    seen = pl.when(pl.col("model") == "lightgbm").then(sure).otherwise("expected_count")
    days = [(first + timedelta(days=d)).isoformat() for d in range(7)]
    return [
        *(
            (grid.INCIDENT_CELLS, month, lambda f: f.with_columns(cell_id=moved))
            for month in ("2024-03-01", "2024-04-01")
        ),
        *(
            (predictions.MODEL_FORECASTS, d, lambda f: f.with_columns(expected_count=seen))
            for d in days
        ),
    ]


def one_more(table: Table, **values: object) -> Fault:
    """A further row: the city has no context of its own, whose rows could be spoilt."""
    return hot(table, lambda f: pl.concat([f, pl.DataFrame([values], schema=f.schema)]))


CELL_VALUE = {
    "cell_id": 0, "variable": "residents_count", "period_on": date(2023, 12, 31),
    "known_on": date(2024, 12, 12), "value": 5.0, "margin_of_error": None, "is_approximate": False,
}  # fmt: skip
RELATION = {
    "target": "any", "variable": "hotels_count", "scale": "log1p", "context_on": date(2023, 12, 31),
    "first_on": date(2024, 1, 1), "last_on": date(2024, 3, 31), "cells_count": 9, "incidents_count": 90,
    "block_km": 10.0, "blocks_count": 16, "rate_ratio": 1.4, "rate_ratio_low": 1.2,
    "rate_ratio_high": 1.6, "deviance_gain_pct": 2.0, "blocks_improved_share": 0.5,
    "sentence": "This is association at the level of places, not cause.",
}  # fmt: skip
# The city has no place of interest, so that its sentences say "too few".
PLACE_EFFECT = {
    "rate_ratio": 1.4, "rate_ratio_low": 1.2, "rate_ratio_high": 1.6, "deviance_gain_pct": 2.0,
}  # fmt: skip
CURVE = {
    "target": "any", "category": "any_other", "radius_m": 100.0, "k_ratio": 2.0, "k_ratio_low": 0.5,
    "k_ratio_high": 1.5,
}  # fmt: skip
LOT = {
    "lon": -74.0, "lat": 40.7, "neighbourhood": "MN0001", "precinct": 1, "residents_count": 5.0,
    "source_file": "a.csv", "source_row": 1, "pulled_on": date(2024, 1, 1),
}  # fmt: skip
# One precinct of the city's, of a group that nobody puts at station houses.
PRECINCT = {
    "risk_on": date(2024, 4, 5), "precinct": 1, "offence_group": "robbery",
    "known_before": date(2024, 4, 4), "expected_count": 900.0, "risk_prob": 0.5,
    "lower_95_count": 0, "upper_95_count": 1,
}  # fmt: skip
# More geocoded than reported, and few of them.
FUNNEL = [("(all)", None, None, "reported", 12, 100.0, "shown"),
          ("(all)", None, None, "geocoded", 22, 183.0, "shown"),
          ("(all)", None, None, "flagged", 3, 25.0, "shown")]  # fmt: skip


FAULTS: dict[tuple[str, str], list[Fault]] = {
    ("grid/incident_cells", "incidents_are_placed"): [
        [
            (grid.INCIDENT_CELLS, f"2024-0{n}-01", lambda f: f.with_columns(cell_id=NO_CELL))
            for n in (1, 2, 3)
        ],
    ],
    ("hotspots/cell_week_gi_star", "schema"): [
        hot(hotspots.CELL_WEEK_GI_STAR, in_row(0, "spot", "warm")),
        hot(hotspots.CELL_WEEK_GI_STAR, in_row(4, "p_value_prob", 1.5)),
    ],
    ("hotspots/cell_week_gi_star", "every_cell_once"): [
        hot(hotspots.CELL_WEEK_GI_STAR, lambda f: f.head(-1)),
        hot(hotspots.CELL_WEEK_GI_STAR, lambda f: pl.concat([f.head(-1), f.head(1)])),
        hot(hotspots.CELL_WEEK_GI_STAR, in_row(9, "cell_id", 999_999)),
    ],
    ("hotspots/cell_week_gi_star", "z_is_finite_or_missing"): [
        hot(hotspots.CELL_WEEK_GI_STAR, in_row(10, "gi_star_z", float("inf"))),
        hot(hotspots.CELL_WEEK_GI_STAR, in_row(10, "gi_star_z", float("nan"))),
        hot(hotspots.CELL_WEEK_GI_STAR, in_row(10, "gi_star_z", None)),
    ],
    ("hotspots/emerging_hot_spots", "schema"): [
        hot(hotspots.EMERGING_HOT_SPOTS, in_row(0, "pattern", "growing hot spot")),
    ],
    ("hotspots/emerging_hot_spots", "every_cell_once"): [
        hot(hotspots.EMERGING_HOT_SPOTS, lambda f: f.head(-1)),
    ],
    ("hotspots/period_change", "schema"): [
        hot(hotspots.PERIOD_CHANGE, in_row(0, "change", "much more")),
    ],
    ("hotspots/period_change", "every_cell_once"): [
        hot(hotspots.PERIOD_CHANGE, lambda f: pl.concat([f.head(-1), f.head(1)])),
    ],
    ("features/cell_day", "features_are_whole"): [
        features(lambda f: f.head(-1)),
        features(lambda f: pl.concat([f.head(-1), f.head(1)])),
        features(in_row(17, "incidents_mean_28", float("inf"))),
    ],
    ("features/cell_day", "reports_are_fresh"): [
        [
            (grid.INCIDENT_CELLS, "2024-03-01", reported_before(date(2024, 3, 20))),
            (grid.INCIDENT_CELLS, "2024-04-01", reported_before(date(2024, 3, 20))),
        ],
    ],
    # The day before the cutoff is the only one without a report.
    ("features/cell_day", "sources_still_report"): [
        [(staging.INCIDENTS, "all", reported_before(date(2024, 4, 3)))],
    ],
    ("features/cell_day", "features_are_as_of_the_cutoff"): [
        features(in_row(17, "incidents_mean_28", 0.125)),
        features(in_row(3, "target_lag_2", None)),
        features(lambda f: f.head(-1)),
    ],
    ("predictions/model_forecasts", "forecasts_are_as_sealed"): [
        [(predictions.MODEL_FORECASTS, NEWEST, in_row(3, "expected_count", 0.5))],
        # The same rows once more, but nobody sealed them: the file is another.
        [(predictions.MODEL_FORECASTS, NEWEST, lambda f: f)],
    ],
    ("evaluation/model_comparison", "no_model_is_above_the_ceiling"): [foreseen()],
    ("predictions/cell_day_risk", "schema"): [
        risk(lambda f: f.with_columns(pl.col("rank").cast(pl.Int64))),
        risk(lambda f: f.drop("band")),
        risk(lambda f: f.with_columns(note=pl.lit("not in the dictionary"))),
        risk(in_row(5, "model", None)),
        risk(in_row(0, "band", "extreme")),
        risk(lambda f: pl.concat([f.head(-1), f.head(1)])),
    ],
    ("predictions/cell_day_risk", "every_cell_every_day"): [
        risk(lambda f: f.head(-1)),
        risk(lambda f: pl.concat([f, f.head(1)])),
    ],
    ("predictions/cell_day_risk", "probabilities_in_0_1"): [
        risk(in_row(3, "risk_prob", 0.0)),
        risk(in_row(3, "risk_prob", 1.0)),
        risk(in_row(3, "risk_prob", float("nan"))),
        risk(in_row(3, "risk_prob", None)),
    ],
    ("predictions/cell_day_risk", "cells_in_area"): [
        risk(in_row(0, "cell_id", 999_999)),
        # A cell of the grid itself, in the Atlantic.
        [(grid.CELLS, "all", in_row(100, "lon", -70.0))],
    ],
    ("predictions/cell_day_risk", "sum_near_recent_totals"): [
        risk(lambda f: f.with_columns(pl.col("expected_count") * 10)),
        risk(lambda f: f.with_columns(pl.col("expected_count") / 10)),
    ],
    ("predictions/precinct_day_risk", "every_precinct_every_group"): [
        [(predictions.PRECINCT_DAY_RISK, NEWEST, lambda f: pl.DataFrame([PRECINCT], f.schema))],
    ],
    ("predictions/precinct_day_risk", "sums_are_near_recent_reports"): [
        [(predictions.PRECINCT_DAY_RISK, NEWEST, lambda f: pl.DataFrame([PRECINCT], f.schema))],
    ],
    ("hotspots/density", "every_cell_has_a_density"): [
        hot(hot_places.DENSITY, lambda f: f.head(-1)),
        hot(hot_places.DENSITY, lambda f: pl.concat([f.head(-1), f.head(1)])),
        hot(hot_places.DENSITY, in_row(3, "density_per_km2", 0.0)),
    ],
    ("hotspots/density", "density_sums_to_incidents"): [
        hot(hot_places.DENSITY, in_row(3, "incidents_per_year", 25.0)),
    ],
    ("hotspots/place_clusters", "no_cluster_is_small"): [
        hot(hot_places.PLACE_CLUSTERS, in_row(0, "incidents_count", 10)),
        hot(hot_places.PLACE_CLUSTERS, in_row(0, "x_m", 590_012.5)),
    ],
    ("hotspots/cluster_quality", "quality_stands_with_station_houses"): [
        hot(hot_places.CLUSTER_QUALITY, in_row(1, "station_house_pct", None)),
        hot(hot_places.CLUSTER_QUALITY, in_row(1, "station_house_pct", 99.0)),
        hot(hot_places.CLUSTER_QUALITY, in_row(1, "silhouette", 1.5)),
        hot(hot_places.CLUSTER_QUALITY, lambda f: f.head(-1)),
    ],
    ("hotspots/spike_alerts", "every_precinct_every_day"): [
        hot(hot_places.SPIKE_ALERTS, lambda f: f.head(-1)),
        hot(hot_places.SPIKE_ALERTS, lambda f: pl.concat([f.head(-1), f.head(1)])),
        hot(hot_places.SPIKE_ALERTS, in_row(5, "precinct", 999)),
    ],
    ("hotspots/spike_alerts", "alerts_keep_the_stated_rate"): [
        hot(
            hot_places.SPIKE_ALERTS,
            lambda f: f.with_columns(p_value_prob=pl.lit(0.001), is_alert=pl.lit(True)),
        ),
        hot(hot_places.SPIKE_ALERTS, in_row(5, "p_value_prob", 1e-6)),
    ],
    ("hotspots/cell_zones", "zones_are_contiguous"): [
        hot(zones.CELL_ZONES, lambda f: f.head(-1)),
        hot(
            zones.CELL_ZONES,
            lambda f: f.with_columns(zone=(pl.col("cell_id") % 2 + 1).cast(pl.Int32)),
        ),
    ],
    ("hotspots/zones", "zones_are_as_wished"): [
        hot(zones.ZONES, in_row(0, "area_km2", 900.0)),
        hot(zones.ZONES, in_row(0, "workload", 1.2)),
        hot(zones.ZONES, lambda f: f.clear()),
    ],
    ("evaluation/drift", "inputs_have_not_drifted"): [drifted("inputs", "all inputs")],
    ("evaluation/drift", "calibration_has_not_drifted"): [
        drifted("calibration", BAND),
        [(predictions.DRIFT, "all", lambda f: f.with_columns(is_alarm=pl.lit(True)))],
    ],
    ("context/cells", "values_are_dated"): [
        one_more(context.CELLS, **CELL_VALUE | {"cell_id": 999_999}),
        one_more(context.CELLS, **CELL_VALUE | {"known_on": date(2023, 12, 30)}),
        one_more(context.CELLS, **CELL_VALUE | {"value": -1.0}),
    ],
    ("context/cells", "residents_are_kept"): [
        one_more(context.CELLS, **CELL_VALUE),
        one_more(context_sources.TAX_LOTS, **LOT),
    ],
    ("context/cells", "counts_are_kept"): [
        one_more(context.CELLS, **CELL_VALUE | {"variable": "acs_residents_count"}),
    ],
    ("context/cells", "rates_are_means"): [
        one_more(context.CELLS, **CELL_VALUE | {"variable": "poverty_pct", "value": 101.0}),
    ],
    ("evaluation/context_relation", "effects_stand_with_intervals"): [
        one_more(context.CONTEXT_RELATION, **RELATION | {"rate_ratio": 1.7}),
        one_more(context.CONTEXT_RELATION, **RELATION | {"rate_ratio_low": None}),
    ],
    ("evaluation/context_relation", "sentences_are_careful"): [
        one_more(context.CONTEXT_RELATION, **RELATION | {"sentence": "Hotels cause it."}),
    ],
    ("evaluation/context_relation", "every_variable_is_related"): [
        one_more(context.CELLS, **CELL_VALUE | {"variable": "any_other_count"}),
    ],
    ("evaluation/place_relation", "effects_stand_with_intervals"): [
        hot(context.PLACE_RELATION, in_row(0, "rate_ratio", 1e6)),
        hot(context.PLACE_RELATION, lambda f: f.with_columns(**PLACE_EFFECT | {"rate_ratio": 1.7})),
    ],
    ("evaluation/place_relation", "sentences_are_careful"): [
        hot(context.PLACE_RELATION, lambda f: f.with_columns(sentence=pl.lit("Motels cause it."))),
    ],
    ("evaluation/place_relation", "every_category_is_related"): [
        hot(context.PLACE_RELATION, lambda f: f.head(-1)),
    ],
    ("evaluation/place_cross_k", "curves_stand_with_envelopes"): [
        one_more(context.PLACE_CROSS_K, **CURVE),
        hot(context.PLACE_RELATION, in_row(0, "cross_k_p_value_prob", None)),
    ],
    ("evaluation/verified_overlay", "cases_are_those_released"): [
        hot(verified.OVERLAY, in_row(0, "cases_count", 7)),
    ],
    ("evaluation/verified_hit_rate", "hits_tell_no_small_count"): [
        hot(verified.HIT_RATE, in_row(0, "hits_count", 7)),
        hot(verified.HIT_RATE, lambda f: f.with_columns(hits_count=12, located_count=15)),
    ],
    ("evaluation/verified_lead_time", "leads_stand_beside_chance"): [
        hot(verified.LEAD_TIME, in_row(0, "value", 50.0)),
    ],
    ("evaluation/detection_funnel", "stages_are_nested"): [
        hot(verified.FUNNEL, lambda f: pl.DataFrame(FUNNEL, f.schema, orient="row")),
    ],
    ("evaluation/detection_funnel", "funnel_tells_no_small_count"): [
        hot(verified.FUNNEL, lambda f: pl.DataFrame(FUNNEL, f.schema, orient="row")),
    ],
    # Leaks in the code, which no stored number shows: see `test_leak_checks.py`.
    ("features/cell_day", "another_future_changes_no_feature"): [],
    ("models/champion", "a_random_city_gives_no_skill"): [],
    ("models/champion", "shuffled_days_give_no_more_than_place"): [],
    ("governance/model_card", "sections_are_there"): [
        document(governance.MODEL_CARD, lambda f: f.head(-1)),
        document(governance.MODEL_CARD, in_row(0, "text", " ")),
    ],
    ("governance/data_sheet", "sections_are_there"): [
        document(governance.DATA_SHEET, lambda f: f.tail(-1)),
    ],
    ("governance/fairness", "groups_are_whole"): [
        document(governance.FAIRNESS, lambda f: f.head(-1)),
        document(governance.FAIRNESS, in_row(1, "exposure_pct", 99.0)),
    ],
    ("governance/fairness", "fairness_tells_no_small_count"): [
        document(
            governance.FAIRNESS,
            lambda f: f.with_columns(incidents_count=pl.lit(7, f.schema["incidents_count"])),
        ),
    ],
    ("governance/feedback_loop", "loop_is_watched"): [
        document(governance.FEEDBACK_LOOP, lambda f: f.filter(pl.col("rule") != "weighted")),
    ],
    ("governance/feedback_loop", "weighted_loop_is_damped"): [
        document(governance.FEEDBACK_LOOP, lambda f: f.with_columns(is_alarm=pl.lit(True))),
    ],
    ("governance/canary_search", "canary_is_nowhere"): [
        [(governance.CANARY_SEARCH, NEWEST, in_row(0, "found_count", 1))],
        # The search does not find it where it was planted: it finds nothing.
        [
            (
                governance.CANARY_SEARCH,
                NEWEST,
                lambda f: f.with_columns(found_count=pl.lit(0, pl.Int32)),
            )
        ],
    ],
    ("publishing/released_map", "dossier_is_whole"): [
        # The documents are of another champion than the one in use.
        document(governance.MODEL_CARD, lambda f: f),
        [(governance.CANARY_SEARCH, NEWEST, in_row(0, "found_count", 1))],
        # The map is older than the risk that it shows.
        risk(in_row(0, "expected_count", 0.5)),
    ],
    # Released files are no partitions: see `test_released.py`.
    ("publishing/released_map", "only_reviewed_maps_are_out"): [],
    # The catalog is no partition: see `test_an_old_catalog_is_noticed`.
    ("predictions/cell_day_risk", "catalog_shows_every_row"): [],
    **{
        (f"raw/{table}", "rows_are_accounted"): [
            [(raw.INTAKE, table, ledger(100, 98, 1))],
            # The ledger adds up, and the refused rows are nowhere.
            [(raw.INTAKE, table, ledger(100, 90, 10))],
        ]
        for table in FROM_FILES
    },
    **{
        (f"raw/{table}", "few_rows_are_refused"): [[(raw.INTAKE, table, ledger(100, 40, 60))]]
        for table in FROM_FILES
    },
    **{
        (f"raw/{table}", "columns_are_as_published"): [
            [(raw.INTAKE, table, headed(table, "A", "B"))]
        ]
        for table in FROM_FILES
    },
}
WARNS = {
    "few_rows_are_refused",
    "columns_are_as_published",
    "sources_still_report",
    "inputs_have_not_drifted",
    "calibration_has_not_drifted",
    "no_model_is_above_the_ceiling",
    "weighted_loop_is_damped",
}
ASSETS = sorted({asset for asset, _ in FAULTS})


@pytest.fixture(scope="module")
def spoilt(city: City, tmp_path_factory: pytest.TempPathFactory) -> City:
    """A copy of the city for faults, each undone after its test."""
    return city.copy_to(tmp_path_factory.mktemp("spoilt") / "city")


@pytest.fixture(scope="module")
def evaluate(spoilt: City) -> Iterator[Evaluate]:
    """Run the checks of one asset as the UI does: by themselves, on the newest day."""
    jobs = [
        dg.define_asset_job(
            asset.replace("/", "_"),
            dg.AssetSelection.checks_for_assets(dg.AssetKey(["nyc", *asset.split("/")])),
        )
        for asset in ASSETS
    ]
    definitions = dg.Definitions.merge(spoilt.definitions, dg.Definitions(jobs=jobs))
    with spoilt.instance() as instance:

        def run(asset: str) -> dict[str, dg.AssetCheckEvaluation]:
            job = definitions.resolve_job_def(asset.replace("/", "_"))
            result = job.execute_in_process(instance=instance, raise_on_error=False)
            found = {e.check_name: e for e in result.get_asset_check_evaluations()}
            # A blocking check that fails fails its run.
            assert result.success == all(e.passed or not e.blocking for e in found.values())
            return found

        yield run


@contextmanager
def planted(city: City, fault: Fault) -> Iterator[None]:
    """Change stored partitions, and put them back."""
    store = city.workspace.tables("nyc")
    kept = {store.path(table, key): store.path(table, key).read_bytes() for table, key, _ in fault}
    try:
        for table, key, change in fault:
            store.write_unchecked(table, change(store.read(table, [key])), key)
        yield
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def test_every_check_has_a_fault(city: City) -> None:
    keys = city.definitions.resolve_asset_graph().asset_check_keys
    ours = {
        ("/".join(key.asset_key.path[1:]), key.name)
        for key in keys
        # Case analysis has its checks in `test_case_assets.py`. Series are no part of a day's run:
        # theirs pass and fail in `test_series_assets.py`.
        if key.asset_key.path[0] == "nyc"
        and key.asset_key.path[1] not in ("staging", "marts", "series")
    }
    assert ours == set(FAULTS)


@pytest.mark.parametrize("asset", ASSETS)
def test_checks_pass_on_the_city(evaluate: Evaluate, asset: str) -> None:
    found = evaluate(asset)

    assert set(found) == {check for each, check in FAULTS if each == asset}
    for check, evaluation in found.items():
        assert evaluation.passed, f"{check}: {evaluation.description}"
        assert evaluation.blocking == (check not in WARNS)


@pytest.mark.parametrize(
    ("asset", "check", "number"),
    [(asset, check, n) for (asset, check), faults in FAULTS.items() for n in range(len(faults))],
)
def test_a_fault_fails_its_check(
    spoilt: City, evaluate: Evaluate, asset: str, check: str, number: int
) -> None:
    with planted(spoilt, FAULTS[asset, check][number]):
        found = evaluate(asset)[check]

    assert not found.passed
    assert found.blocking == (check not in WARNS)
    expected = dg.AssetCheckSeverity.WARN if check in WARNS else dg.AssetCheckSeverity.ERROR
    assert found.severity is expected
    assert found.description and found.description.endswith(".")


def test_an_old_catalog_is_noticed(spoilt: City, evaluate: Evaluate) -> None:
    before = spoilt.folder / "before"
    before.mkdir()
    build_catalog(before, [predictions.CELL_DAY_RISK])
    (before / "warehouse.duckdb").replace(spoilt.settings.warehouse / "warehouse.duckdb")

    found = evaluate("predictions/cell_day_risk")["catalog_shows_every_row"]

    spoilt.workspace.build_catalog()
    assert not found.passed
    assert found.blocking
    assert evaluate("predictions/cell_day_risk")["catalog_shows_every_row"].passed
