"""Flows and profiles against SQL, the heat map against its matrix."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree

import polars as pl
import pytest
from htrisk_dagster.victim_population import flows, heat_map
from htrisk_dagster_tests.victim_population.real_release import ask, clean_release, frame_of

SVG = "{http://www.w3.org/2000/svg}"


def small() -> pl.DataFrame:
    citizens = ["UA"] * 10 + ["PH"] * 3 + ["MD"] * 2 + ["KR", None]
    places = ["UA"] * 7 + ["RU"] * 3 + ["US"] * 3 + ["RU"] * 2 + [None, "US"]
    return frame_of(
        {
            "citizenship": citizens,
            "country_of_exploitation": places,
            "gender": ["female"] * 12 + ["male"] * 3 + [None, "male"],
        }
    )


def test_flows_keep_unknown_countries_and_add_up():
    found = flows.flow_counts(small())
    assert found["records_count"].sum() == 17
    pairs = {(a, b): (n, log) for a, b, n, log in found.iter_rows()}
    assert pairs["UA", "UA"] == (7, pytest.approx(math.log10(7)))
    assert pairs[None, "US"] == (1, 0)
    assert pairs["KR", None] == (1, 0)


def test_the_matrix_is_in_order_of_records_and_empty_where_there_are_none():
    matrix = flows.log_count_matrix(flows.flow_counts(small()))
    assert matrix.columns == ["citizenship", "UA", "RU", "US"]
    assert matrix["citizenship"].to_list() == ["UA", "PH", "MD"]
    assert matrix.row(0)[1:] == (pytest.approx(math.log10(7)), pytest.approx(math.log10(3)), None)
    assert matrix.row(1)[1:] == (None, None, pytest.approx(math.log10(3)))


def test_top_and_bottom_countries_never_overlap_and_unknown_stands_apart():
    found = flows.country_profiles(small(), n_countries=5)
    groups = found.filter(pl.col("side") == "citizenship").select("group", "countries").unique()
    assert sorted(groups.rows()) == [("bottom", "MD KR"), ("top", "UA PH")]
    bottom = found.filter(
        (pl.col("side") == "citizenship")
        & (pl.col("group") == "bottom")
        & (pl.col("dimension") == "gender")
    )
    assert bottom.select("category", "records_count", "known_count", "unknown_count").rows() == [
        ("male", 2, 2, 1)
    ]


def test_the_heat_map_draws_each_pair_once_and_asks_for_nothing_outside():
    drawn = heat_map.draw_heat_map(
        flows.log_count_matrix(flows.flow_counts(small())), title="A < B"
    )
    root = ElementTree.fromstring(drawn)
    tips = [rect.findtext(f"{SVG}title") for rect in root.iter(f"{SVG}rect")]
    assert sorted(tip for tip in tips if tip) == [
        "MD to RU: 2 records",
        "PH to US: 3 records",
        "UA to RU: 3 records",
        "UA to UA: 7 records",
    ]
    assert root.findtext(f"{SVG}title") == "A < B"
    assert drawn.count("http") == 1  # the name of the SVG language
    colours = {
        rect.findtext(f"{SVG}title"): int(rect.get("fill")[1:3], 16)
        for rect in root.iter(f"{SVG}rect")
        if rect.findtext(f"{SVG}title")
    }
    assert (
        colours["UA to UA: 7 records"]
        < colours["UA to RU: 3 records"]
        < colours["MD to RU: 2 records"]
    )


def test_a_matrix_without_flows_is_still_a_drawing():
    empty = flows.log_count_matrix(flows.flow_counts(frame_of({"citizenship": ["UA"]})))
    assert ElementTree.fromstring(heat_map.draw_heat_map(empty, title="None")) is not None


@pytest.mark.real_data
def test_real_flows_and_ranks_are_those_of_sql():
    records = clean_release().records
    found = flows.flow_counts(records)
    assert found["records_count"].sum() == 47_102
    asked = ask(
        "select citizenship c, CountryOfExploitation e, count(*) from release "
        "where c not in ('Unknown', 'Missing') and e not in ('Unknown', 'Missing') group by all"
    )
    known = found.drop_nulls().select("citizenship", "country_of_exploitation", "records_count")
    assert sorted(known.rows()) == sorted(asked)
    assert flows.rank_countries(records, "citizenship").rows()[:3] == [
        ("PH", 11_312), ("MD", 7_363), ("UA", 7_339),
    ]  # fmt: skip
    assert flows.rank_countries(records, "country_of_exploitation").rows()[0] == ("US", 10_718)


@pytest.mark.real_data
def test_the_real_profile_of_the_top_five_is_that_of_sql():
    profiles = flows.country_profiles(clean_release().records)
    top = profiles.filter(
        (pl.col("side") == "citizenship")
        & (pl.col("group") == "top")
        & (pl.col("dimension") == "age_band")
    )
    assert set(top["countries"]) == {"PH MD UA US ID"}
    asked = ask(
        "select ageBroad, count(*) from release where citizenship in ('PH', 'MD', 'UA', 'US', 'ID') "
        "and ageBroad <> 'Unknown' group by all"
    )
    assert sorted(top.select("category", "records_count").rows()) == sorted(asked)
    # The 2018 release says nothing of duration.
    assert "trafficked_months_band" not in set(profiles["dimension"])
