"""Verified cases through Dagster on the city: what is stored, what is told, when it is stale."""

from __future__ import annotations

import dagster as dg
import polars as pl
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.verified import funnel_path, store_funnel, store_validation
from htrisk_dagster.schemas import predictions, raw, staging, verified
from htrisk_dagster.sources.canary_case import without_canary
from htrisk_dagster.warehouse.partitions import WHOLE
from htrisk_dagster_tests.defs.small_city import City


def figures(city: City, table: str) -> dict[str, object]:
    with city.instance() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["nyc", "evaluation", table]))
    assert event is not None
    assert event.asset_materialization is not None
    return {k: v.value for k, v in event.asset_materialization.metadata.items()}


def test_totals_are_those_of_the_restricted_rows(city: City) -> None:
    cases = city.workspace.restricted("nyc").read(raw.VERIFIED_CASES, [WHOLE])
    counts = city.workspace.tables("nyc").read(staging.VERIFIED_CASE_COUNTS)
    whole = counts.filter(pl.col("period_on").is_null(), borough="(all)")
    assert cases.height == without_canary(cases).height + 1
    assert whole["cases_count"].to_list() == [without_canary(cases).height]


def test_the_overlay_expects_what_the_maps_expect(city: City) -> None:
    store = city.workspace.tables("nyc")
    risk = store.read(predictions.CELL_DAY_RISK)
    rows = store.read(verified.OVERLAY).filter(borough="(all)").drop_nulls("expected_count")
    by_month = risk.group_by(pl.col("risk_on").dt.month_start()).agg(
        pl.col("expected_count").sum(), pl.col("risk_prob").mean()
    )
    expected = by_month.sort("risk_on")["expected_count"].to_list()
    assert rows["maps_count"].to_list() == [2, 5]
    assert [round(v, 9) for v in rows["expected_count"]] == [round(v, 9) for v in expected]


def test_most_cases_stand_on_coarse_places_and_the_share_is_told(city: City) -> None:
    hit_rate = city.workspace.tables("nyc").read(verified.HIT_RATE)
    assert set(hit_rate["model"]) == {"published map", "historical_mean"}
    coarse = hit_rate["coarse_pct"].unique().to_list()
    assert len(coarse) == 1
    assert coarse[0] is None or 70 < coarse[0] < 90
    told = str(figures(city, "verified_hit_rate")["hit_rates"])
    assert "Coarse places, counted by borough only" in told


def test_a_stage_that_nobody_records_is_told_so(city: City) -> None:
    told = figures(city, "detection_funnel")
    if "funnel" not in told:
        assert told["status"] == "too few incidents on days with a map"
        return
    assert told["reviewed_status"] == "not recorded"
    assert str(told["funnel"]).startswith("![From report to verification")
    assert funnel_path(city.workspace, city.area).read_text().startswith("<svg")


def test_a_review_makes_the_funnel_stale_and_the_measures_stay(city_copy: City) -> None:
    """And it is counted; two steps that read rows put none of them into their tables."""
    workspace, area = city_copy.workspace, city_copy.area
    stored = workspace.tables("nyc")
    before = MadeFrom(workspace, area)
    measures, funnel_before = before.verified_validation(), before.detection_funnel()
    assert stored.made_from(verified.HIT_RATE) == {"all": measures}
    assert stored.made_from(verified.FUNNEL) == {"all": funnel_before}

    row = (
        stored.read(predictions.CELL_DAY_RISK, ["2024-04-02"]).sort("rank").head(1)
        .select("risk_on", "cell_id", reviewer_role=pl.lit("analyst"), decision=pl.lit("outreach"),
                decided_on="risk_on", source_file=pl.lit("r.csv"), source_row=pl.lit(1),
                pulled_on="risk_on")
    )  # fmt: skip
    workspace.restricted("nyc").write(raw.REVIEW_DECISIONS, raw.REVIEW_DECISIONS.conform(row))

    after = MadeFrom(workspace, area)
    assert after.verified_validation() == measures
    assert after.detection_funnel() != funnel_before
    store_funnel(workspace, area)
    funnel = stored.read(verified.FUNNEL)
    assert "not recorded" not in set(funnel.filter(stage="reviewed")["status"])


def test_the_same_cases_and_maps_give_the_same_tables(city_copy: City) -> None:
    store = city_copy.workspace.tables("nyc")
    before = [store.path(t).read_bytes() for t in verified.TABLES]
    store_validation(city_copy.workspace, city_copy.area)
    store_funnel(city_copy.workspace, city_copy.area)
    assert [store.path(t).read_bytes() for t in verified.TABLES] == before
