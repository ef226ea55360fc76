from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.models.historical_mean import mean_rates
from htrisk_dagster.sources.intake import NEW_YORK, read
from htrisk_dagster.sources.synthetic_city import PRESETS, World, simulate_world
from htrisk_dagster.sources.synthetic_city.land import read_land
from htrisk_dagster.sources.synthetic_city.reporting import draw_delays
from htrisk_dagster.study_areas.area import load_area

from .conftest import SEED, City

SKILL = PRESETS["skill"]


@pytest.fixture(scope="module")
def tiny() -> World:
    return simulate_world(PRESETS["tiny"], SEED)


@pytest.fixture(scope="module")
def skill() -> World:
    return simulate_world(SKILL, 1)


def test_files_hold_the_world(city: City, tiny: World) -> None:
    assert len(tiny.incidents.occurred) == city.complaints.height + 1  # and the row of 1919
    for name, values in city.truth().items():
        if hasattr(tiny.target, name):
            np.testing.assert_array_equal(values, getattr(tiny.target, name))


def test_tables_in_memory_are_what_readers_make_of_the_files(city: City, tiny: World) -> None:
    zone = {"time_zone": "America/New_York", "bounding_box": NEW_YORK}
    kept = read("complaints", city.folder, **zone).kept.unique("report_id")
    made = tiny.incident_cells()
    columns = ["occurred_on", "reported_on"]
    read_counts = kept.group_by(columns).len().sort(columns)
    made_counts = made.group_by(columns).len().sort(columns)
    joined = made_counts.join(read_counts, on=columns, how="full", coalesce=True).fill_null(0)
    # Refused: the row of 1919 and the point outside the city.
    assert (joined["len"] - joined["len_right"]).abs().sum() == 2
    passengers = read("airport_passengers", city.folder, **zone).kept
    airport = tiny.mobility().filter(series="airport_jfk")
    assert airport["passengers_count"].to_list() == passengers["passengers_count"].to_list()
    riders = read("transit_ridership", city.folder, **zone).kept
    transit = tiny.mobility().filter(pl.col("series").str.starts_with("transit_"))
    assert transit.height == riders.height
    assert transit["passengers_count"].sum() == riders["riders_count"].sum()
    permits = read("permitted_events", city.folder, **zone).kept.explode("precincts")
    key = ["event_id", "starts_on", "ends_on", "event_type", "precincts"]
    assert tiny.events().height == permits.unique(key).height
    assert tiny.events().group_by("precinct").len().sort("precinct").rows() == (
        permits.unique(key).group_by("precincts").len().sort("precincts").rows()
    )


def test_offence_groups_are_the_study_areas(tiny: World) -> None:
    groups = set(tiny.incident_cells()["offence_group"])
    declared = load_area("nyc").offence_groups
    assert groups == {*declared, "other"} - {"shooting"}
    target = tiny.incident_cells().filter(
        pl.col("offence_group").is_in(["prostitution_related", "kidnapping"])
    )
    assert target.height == tiny.target.counts.sum()
    by_cell = np.bincount(target["cell_id"].drop_nulls(), minlength=len(tiny.col))
    counts = tiny.target.counts.sum(axis=0)
    assert (by_cell <= counts).all()
    assert by_cell.sum() / counts.sum() == pytest.approx(0.97, abs=4 * (0.03 / 400) ** 0.5)


def test_offences_of_the_station_house_have_no_cell(tiny: World) -> None:
    cells = tiny.incident_cells()
    sexual = cells.filter(offence_group="sex_crimes")
    assert sexual["cell_id"].null_count() == sexual.height
    assert set(sexual["location_quality"]) == {"station_house", "missing"}
    others = cells.filter(pl.col("offence_group") != "sex_crimes")
    assert set(others["location_quality"]) == {"exact", "missing"}


def test_cells_make_a_grid_that_finds_its_own_centres(tiny: World) -> None:
    grid = Grid.from_cells(tiny.grid(), "EPSG:32618", 500)
    cells = grid.cells
    found = grid.cell_of(cells["lon"].to_numpy(), cells["lat"].to_numpy())
    np.testing.assert_array_equal(found, np.arange(len(tiny.col)))
    assert 0.95 < cells["land_share"].mean() < 1  # a cell's centre is on land
    assert cells["precinct"].to_list() == tiny.precinct_number[tiny.precinct].tolist()


def test_same_seed_same_world_other_seed_another(tiny: World) -> None:
    again, other = (simulate_world(PRESETS["tiny"], seed) for seed in (SEED, SEED + 1))
    np.testing.assert_array_equal(again.target.intensity, tiny.target.intensity)
    assert again.incident_cells().equals(tiny.incident_cells())
    assert not np.array_equal(other.target.counts, tiny.target.counts)


def test_a_world_is_made_in_little_memory() -> None:
    tracemalloc.start()
    try:
        simulate_world(SKILL, 3)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1.5 * 2**30


def test_what_is_triggered_is_the_share_kappa_and_a_filter_can_follow_it(skill: World) -> None:
    truth = skill.target
    true_intensity = truth.intensity / truth.reporting
    assert truth.triggered.sum() / true_intensity.sum() == pytest.approx(0.3, abs=0.01)
    assert (truth.triggered[0] == 0).all()
    # Each report stands for one over its share of reporting. One that comes d days late is known
    # for what it still triggers, (6/7)^d of the whole: 0.80 + 0.05 * 0.857 and little more.
    delays = draw_delays(np.full(100_000, 4000), np.random.default_rng(1))
    known = np.mean((6 / 7) ** delays)
    assert truth.triggered_as_reported.sum() / truth.triggered.sum() == pytest.approx(
        known, abs=0.03
    )
    follows = np.corrcoef(truth.triggered.ravel(), truth.triggered_as_reported.ravel())[0, 1]
    assert 0.5 < follows < 0.99


def test_counts_follow_the_intensity(skill: World) -> None:
    truth = skill.target
    # The day's shock falls on the background only, so this is exact up to its covariance.
    expected = truth.intensity.sum(dtype=np.float64)
    assert truth.counts.sum() == pytest.approx(expected, abs=4 * expected**0.5 + 0.01 * expected)
    tenths = np.array_split(np.argsort(truth.intensity, axis=None), 10)
    for cells in tenths:
        mean = truth.intensity.ravel()[cells].sum(dtype=np.float64)
        assert truth.counts.ravel()[cells].sum() == pytest.approx(
            mean, abs=4.5 * (1.3 * mean) ** 0.5
        )


def test_parts_are_five_whole_and_contiguous(skill: World) -> None:
    land = read_land()
    whole = set(zip(land.col.tolist(), land.row.tolist(), strict=True))
    cells = set(zip(skill.col.tolist(), skill.row.tolist(), strict=True))
    assert cells < whole
    assert 1100 <= len(cells) <= 1300
    assert set(skill.borough.tolist()) == {0, 1, 2, 3, 4}
    for borough in range(5):
        mine = skill.borough == borough
        left = set(zip(skill.col[mine].tolist(), skill.row[mine].tolist(), strict=True))
        parts = []
        while left:
            part, edge = set(), [left.pop()]
            while edge:
                col, row = edge.pop()
                part.add((col, row))
                near = {(col + i, row + j) for i in (-2, -1, 0, 1, 2) for j in (-2, -1, 0, 1, 2)}
                edge += near & left
                left -= near
            parts.append(len(part))
        # One piece, but for islands across more water than a cell.
        assert max(parts) > 0.9 * sum(parts)


def test_part_has_the_rates_of_the_whole_by_the_cell(skill: World) -> None:
    share = len(skill.col) / len(read_land().col)
    assert len(skill.incidents.occurred) / (1514 * 1096 * share) == pytest.approx(1, abs=0.01)
    # Self-excited counts and a field that lasts: a standard error of about 3%.
    assert skill.target.counts.sum() / (50 * 1096 * share) == pytest.approx(1, abs=0.12)


def weighted_auc(score: np.ndarray, prob: np.ndarray) -> float:
    """AUC of a score that is expected where cell-days have these probabilities of an incident."""
    order = np.argsort(score, axis=None, kind="stable")
    sorted_score, positive = score.ravel()[order], prob.ravel()[order]
    group = np.cumsum(np.r_[True, np.diff(sorted_score) != 0]) - 1
    positives, negatives = np.bincount(group, positive), np.bincount(group, 1 - positive)
    below = np.cumsum(negatives) - negatives / 2
    return float(positives @ below / (positives.sum() * negatives.sum()))


def efficiency_of_historical_mean(world: World) -> float:
    truth = world.target
    split = round(0.75 * len(world.days))
    prob = -np.expm1(-truth.intensity[split:].astype(np.float64))
    rates = mean_rates(truth.counts[:split].sum(axis=0).astype(np.float64), split)
    mean = weighted_auc(np.broadcast_to(rates, prob.shape), prob)
    return (mean - 0.5) / (weighted_auc(prob, prob) - 0.5)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "share"), [(50.0, 0.89), (5.0, 0.75), (0.5, 0.40)])
def test_historical_mean_reaches_its_share_of_the_omniscient_skill(
    rate: float, share: float
) -> None:
    preset = replace(SKILL, target_per_day=rate)
    found = [efficiency_of_historical_mean(simulate_world(preset, seed)) for seed in (1, 2, 3)]
    # The shares that the worlds are set to, measured on a world of one rate a cell.
    assert np.mean(found) == pytest.approx(share, abs=0.04)
