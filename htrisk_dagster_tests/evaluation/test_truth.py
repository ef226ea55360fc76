from __future__ import annotations

import ast
from dataclasses import fields, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.evaluation.ceiling_alarm import no_forecast_is_beyond
from htrisk_dagster.evaluation.ceilings import auc_ceiling
from htrisk_dagster.evaluation.count_scores import poisson_log_score
from htrisk_dagster.evaluation.truth import (
    CEILINGS,
    TRUTH_FILE,
    CityTruth,
    block_filtering,
    block_intensity,
    ceilings_for,
    read_truth,
)
from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.models.historical_mean import mean_rates
from htrisk_dagster.sources.synthetic_city.presets import PRESETS
from htrisk_dagster.sources.synthetic_city.world import World, simulate_world

PACKAGE = Path(__file__).parents[2] / "htrisk_dagster"
CRS = "EPSG:32618"
DAYS = [(date(2024, 4, 1) + timedelta(days=d)).isoformat() for d in range(28)]


@pytest.fixture(scope="module")
def world() -> World:
    """A part of the city, eight months of it, fifty target incidents a day in the whole."""
    preset = replace(
        PRESETS["skill"], first_day=date(2023, 9, 1), last_day=date(2024, 4, 30),
        complaints_per_day=100, target_per_day=50.0,
    )  # fmt: skip
    return simulate_world(preset, 5)


@pytest.fixture(scope="module")
def inputs(world) -> FeatureInputs:
    return FeatureInputs(
        grid=Grid.from_cells(world.grid(), CRS, 500),
        incidents=world.incident_cells(),
        target=Series("target", ("complaints",), ("prostitution_related", "kidnapping")),
        series=(Series("incidents", ("complaints",)),),
        events=world.events(), mobility=world.mobility(), holidays=world.holidays(),
        lag_days=1, mobility_lag_days={"airport": 45, "transit": 2},
        history_start=date(2023, 9, 1),
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(world, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    write(folder, world)
    return folder


def write(folder: Path, world: World, **changed: object) -> None:
    parts = {f.name: getattr(world.target, f.name) for f in fields(world.target)}
    parts |= {
        "days": world.days, "col": world.col, "row": world.row, "cell_size_m": np.int64(500),
        "crs": np.str_(CRS), "offence_codes": np.array([115, 124, 234]),
    }  # fmt: skip
    (folder / TRUTH_FILE).parent.mkdir(exist_ok=True)
    np.savez(folder / TRUTH_FILE, **{k: v for k, v in (parts | changed).items() if v is not None})


@pytest.fixture(scope="module")
def truth(folder, inputs) -> CityTruth:
    return read_truth(folder, inputs.grid)


def test_the_truth_lies_on_the_cells_of_the_grid(world, truth, inputs, folder):
    # The world numbers its cells as the grid does; a grid of other cells takes each from its
    # place, and one that the city does not know expects nothing.
    assert np.allclose(truth.intensity, world.target.intensity)
    cells = world.grid()
    other = cells.filter(cells["cell_id"] % 2 == 1)
    other = other.with_columns(cell_id=np.arange(other.height, dtype=np.int32))
    (folder / "half").mkdir()
    write(folder / "half", world)
    half = read_truth(folder / "half", Grid.from_cells(other, CRS, 500))
    assert np.allclose(half.intensity, world.target.intensity[:, 1::2])
    write(folder / "half", world, col=world.col + 1)
    moved = read_truth(folder / "half", inputs.grid)
    right = np.flatnonzero((np.diff(world.row) == 0) & (np.diff(world.col) == 1))
    assert np.allclose(moved.intensity[:, right + 1], world.target.intensity[:, right])
    assert (moved.intensity[:, 0] == 0).all()
    assert truth.offence_codes == {115, 124, 234}


def test_parts_make_the_intensity_and_its_law_is_found(truth):
    place = truth.calendar[:, None] * truth.static * truth.exposure
    made = (place * truth.field + truth.triggered) * truth.reporting
    assert np.allclose(made, truth.intensity, rtol=1e-4, atol=1e-9)
    law = truth.log_field
    assert law.daily_correlation == pytest.approx(0.9, abs=0.02)
    assert 0.4 < law.sd < 0.8
    assert truth.offspring == pytest.approx(0.3, abs=0.06)


def test_a_block_s_ceilings_are_ordered_and_calibrated(truth, inputs):
    block, filtered = block_intensity(truth, inputs, DAYS), block_filtering(truth, inputs, DAYS)
    counts = target_counts(inputs, DAYS)
    before = [(date(2023, 9, 1) + timedelta(days=d)).isoformat() for d in range(205)]
    mean = np.tile(mean_rates(target_counts(inputs, before).sum(axis=0, dtype=float), 205), (28, 1))
    omniscient, of_filter, of_mean = (
        poisson_log_score(counts, forecast) for forecast in (block.omniscient, filtered, mean)
    )
    assert omniscient < of_filter < of_mean
    assert counts.sum() > 300
    for forecast in (block.omniscient, filtered, block.drawn_from):
        assert forecast.sum() == pytest.approx(counts.sum(), rel=0.15)
    assert no_forecast_is_beyond(
        counts, {"mean": mean, "filter": filtered},
        intensity=block.omniscient, day_shock=block.day_shock, seed=1,
    ).holds  # fmt: skip

    rows = ceilings_for(
        truth, inputs, DAYS,
        historical_mean=mean, active=mean[0] > mean.min(), n_draws=60, seed=1,
    )  # fmt: skip
    assert set(rows["model"]) == set(CEILINGS)
    assert set(rows["mask"]) == {"active", "land"}
    auc = {r["model"]: r for r in rows.filter(metric="auc", mask="land").iter_rows(named=True)}
    best = auc["ceiling_omniscient"]
    assert best["value"] == pytest.approx(auc_ceiling(block.drawn_from), abs=0.01)
    assert best["value"] > auc["ceiling_filtering"]["value"]
    assert best["difference_lower_95"] > 0


def test_the_filter_of_a_day_does_not_see_what_is_reported_later(truth, inputs):
    later = replace(
        inputs, incidents=inputs.incidents.filter(pl.col("reported_on") < date(2024, 4, 14))
    )
    whole, cut = (block_filtering(truth, i, DAYS) for i in (inputs, later))
    # The forecast for the 15th uses what was reported before the 14th.
    assert np.array_equal(whole[:15], cut[:15])
    assert not np.array_equal(whole[15:], cut[15:])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"field": None}, "has no field"),
        ({"cell_size_m": np.int64(250)}, "lies on cells of 250 m"),
        ({"crs": np.str_("EPSG:2263")}, "EPSG:2263"),
    ],
)
def test_another_truth_is_refused(world, inputs, tmp_path, changed, message):
    write(tmp_path, world, **changed)
    with pytest.raises(SourceError, match=message):
        read_truth(tmp_path, inputs.grid)


def test_days_beyond_the_city_and_no_city_are_refused(truth, inputs, tmp_path):
    with pytest.raises(SourceError, match="true from 2023-09-01 to 2024-04-30"):
        truth.between(date(2024, 4, 1), date(2024, 5, 1))
    with pytest.raises(SourceError, match="is absent"):
        read_truth(tmp_path, inputs.grid)


def test_only_the_evaluation_knows_where_the_truth_lies():
    """Features, models and readers may neither import the reader nor name the file."""
    guilty = []
    for layer in ("features", "models", "hotspots", "grid", "warehouse", "publishing"):
        for path in (PACKAGE / layer).rglob("*.py"):
            text = path.read_text()
            imports = {
                alias if isinstance(node, ast.Import) else node.module
                for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.Import | ast.ImportFrom)
                for alias in (
                    [a.name for a in node.names] if isinstance(node, ast.Import) else [""]
                )
            }
            names_it = "truth/" in text or "intensity.npz" in text
            if names_it or any("evaluation.truth" in str(name) for name in imports):
                guilty.append(str(path))
    assert guilty == []
