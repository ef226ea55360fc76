from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.hotspots import gi_star_findings as rules
from htrisk_dagster.hotspots.emerging import emerging_hot_spots
from htrisk_dagster.hotspots.getis_ord import gi_star, with_self
from htrisk_dagster.hotspots.gi_star_tables import change_rows, emerging_rows, gi_star_rows
from htrisk_dagster.hotspots.permutation import exact_permutations
from htrisk_dagster.hotspots.weeks import WeekPanel
from htrisk_dagster.schemas.hotspots import (
    CELL_WEEK_GI_STAR,
    EMERGING_HOT_SPOTS,
    PERIOD_CHANGE,
)
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist

SIDE, N_WEEKS, HEART = 16, 13, 5 * 16 + 5
N_CELLS = SIDE * SIDE


def weights() -> csr_array:
    places = np.argwhere(np.ones((SIDE, SIDE)))
    return with_self(csr_array(cdist(places, places) < 1.5))


@pytest.fixture(scope="module")
def panels() -> dict[str, WeekPanel]:
    """`grows`: a cluster that takes shape in the last five of 13 weeks, and one week of no variance."""
    rng = np.random.default_rng(7)
    steady = rng.poisson(2.0, (N_WEEKS, N_CELLS))
    growing = steady.copy()
    growing[-5:, weights().toarray()[HEART] > 0] += 12
    growing[2] = 1
    return {
        name: WeekPanel("complaints", date(2024, 1, 1), counts.astype(np.int32), 4.0, 1.0)
        for name, counts in (("steady", steady), ("grows", growing))
    }


@pytest.fixture(scope="module")
def weekly(panels) -> pl.DataFrame:
    return gi_star_rows(panels, weights())


def test_weekly_rows_are_the_panels_and_their_statistics(panels, weekly):
    assert weekly.height == 2 * N_WEEKS * N_CELLS
    for name, panel in panels.items():
        z = gi_star(panel.counts, weights())
        exact = exact_permutations(panel.counts, weights())
        for week in (0, 2, 12):
            rows = weekly.filter(
                (pl.col("series") == name) & (pl.col("week_on") == panel.weeks[week])
            ).sort("cell_id")
            np.testing.assert_array_equal(rows["incidents_count"], panel.counts[week])
            np.testing.assert_array_equal(rows["gi_star_z"].fill_null(np.nan), z.z[week])
            np.testing.assert_array_equal(
                rows["permutation_fdr_p_value_prob"].fill_null(np.nan), exact.fdr_p_value[week]
            )
            hot = exact.hot(z.z, 0.05)[week]
            assert rows.filter(pl.col("spot") == "hot")["cell_id"].to_list() == list(
                np.flatnonzero(hot)
            )
    flat = weekly.filter((pl.col("series") == "grows") & (pl.col("week_on") == date(2024, 1, 15)))
    assert flat["gi_star_z"].null_count() == N_CELLS
    assert set(flat["spot"]) == {"neither"}


def test_emerging_rows_name_the_growing_cluster(panels, weekly):
    rows = emerging_rows(weekly, weights())
    heart = rows.filter(pl.col("cell_id") == HEART).sort("series")
    assert heart["series"].to_list() == ["grows", "steady"]
    assert heart["pattern"].to_list() == ["consecutive hot spot", "no pattern"]
    assert heart["hot_weeks_count"].to_list() == [5, 0]
    assert heart["spot"].to_list() == ["hot", "neither"]
    assert set(rows["first_week_on"]) == {date(2024, 1, 1)}
    assert set(rows["last_week_on"]) == {date(2024, 3, 25)}
    for name, panel in panels.items():
        of_series = rows.filter(pl.col("series") == name)
        total = panel.counts.sum(axis=0)
        z = gi_star(panel.counts, weights()).z
        exact = exact_permutations(panel.counts, weights())
        direct = emerging_hot_spots(z, exact.hot(z, 0.05), exact.cold(z, 0.05), level=0.05)
        assert of_series["pattern"].to_list() == direct.pattern.tolist()
        np.testing.assert_array_equal(of_series["incidents_count"], total)
        np.testing.assert_allclose(of_series["gi_star_z"], gi_star(total[None, :], weights()).z[0])


def test_change_rows_compare_halves_of_the_same_length(panels, weekly):
    rows, indices = change_rows(weekly, seed=1)
    grows = rows.filter(pl.col("series") == "grows")
    counts = panels["grows"].counts
    np.testing.assert_array_equal(grows["base_incidents_count"], counts[1:7].sum(axis=0))
    np.testing.assert_array_equal(grows["recent_incidents_count"], counts[7:].sum(axis=0))
    assert set(grows["base_first_week_on"]) == {date(2024, 1, 8)}
    assert set(grows["recent_first_week_on"]) == {date(2024, 2, 19)}
    cluster = set(np.flatnonzero(weights().toarray()[HEART]).tolist())
    more = set(grows.filter(pl.col("change") == "more")["cell_id"])
    assert cluster <= more
    # One in twenty of those found may be false.
    assert len(more - cluster) <= 1
    assert not grows.filter(pl.col("cell_id").is_in(cluster))["is_share_similar"].any()
    assert set(rows.filter(pl.col("series") == "steady")["change"]) == {"no change"}
    assert indices["steady"][0] > indices["grows"][0]
    assert indices["grows"][0] == pytest.approx(grows["is_share_similar"].mean())
    again, _ = change_rows(weekly, seed=1)
    assert again.equals(rows)


def test_a_half_without_incidents_has_no_pattern_to_compare(panels):
    counts = panels["steady"].counts.copy()
    counts[:7] = 0
    empty = {"late": WeekPanel("complaints", date(2024, 1, 1), counts, 0.0, 0.0)}
    rows, indices = change_rows(gi_star_rows(empty, weights()), seed=1)
    assert indices == {}
    assert rows["is_share_similar"].null_count() == N_CELLS
    assert rows["rate_ratio"].null_count() == N_CELLS


def test_tables_hold_their_rules(weekly):
    for table, rows in (
        (CELL_WEEK_GI_STAR, weekly),
        (EMERGING_HOT_SPOTS, emerging_rows(weekly, weights())),
        (PERIOD_CHANGE, change_rows(weekly, seed=1)[0]),
    ):
        assert rules.schema_holds(rows, table).holds
        assert rules.every_cell_once(rows, table, N_CELLS).holds
    found = rules.z_is_finite_or_missing(weekly)
    assert found.holds
    assert found.figures == {"flat_weeks": 1.0}


def test_a_class_outside_the_list_is_found(weekly):
    rows = emerging_rows(weekly, weights()).with_columns(pattern=pl.lit("growing hot spot"))
    found = rules.schema_holds(rows, EMERGING_HOT_SPOTS)
    assert not found.holds
    assert "growing hot spot" in found.sentence


def test_cells_missing_twice_or_strange_are_found(weekly):
    one_less = weekly.head(-1)
    twice = pl.concat([one_less, weekly.tail(2).head(1)])
    strange = weekly.with_columns(pl.col("cell_id").replace(3, 9_999))
    for rows in (one_less, twice, strange, weekly.clear()):
        found = rules.every_cell_once(rows, CELL_WEEK_GI_STAR, N_CELLS)
        assert not found.holds
    assert "255 cells" in rules.every_cell_once(twice, CELL_WEEK_GI_STAR, N_CELLS).sentence


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, None])
def test_an_infinite_or_torn_z_is_found(weekly, value):
    here = (pl.col("series") == "steady") & (pl.col("cell_id") == 9)
    rows = weekly.with_columns(
        pl.when(here).then(pl.lit(value, pl.Float64)).otherwise("gi_star_z").alias("gi_star_z")
    )
    found = rules.z_is_finite_or_missing(rows)
    assert not found.holds
    assert ("not finite" in found.sentence) == (value is not None)
