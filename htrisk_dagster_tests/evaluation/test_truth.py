from __future__ import annotations

import ast
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.evaluation.truth import CityTruth, read_truth
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.sources.synthetic_city.world import World
from htrisk_dagster_tests.evaluation.true_city import CRS, inputs_of, true_city, write

PACKAGE = Path(__file__).parents[2] / "htrisk_dagster"
DAYS = [(date(2024, 4, 1) + timedelta(days=d)).isoformat() for d in range(28)]


@pytest.fixture(scope="module")
def world() -> World:
    return true_city()


@pytest.fixture(scope="module")
def inputs(world) -> FeatureInputs:
    return inputs_of(world)


@pytest.fixture(scope="module")
def folder(world, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    write(folder, world)
    return folder


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
