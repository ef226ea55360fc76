"""Ceilings enter the comparison where, and only where, the truth of the target is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from htrisk_dagster.defs.city_truth import ceiling_table, city_truth
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import SourceError
from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.settings import Settings
from htrisk_dagster.sources.synthetic_city.presets import PRESETS
from htrisk_dagster.sources.synthetic_city.world import simulate_world
from htrisk_dagster_tests.evaluation.true_city import inputs_of, write

DAYS = [(date(2024, 1, 8) + timedelta(days=d)).isoformat() for d in range(7)]


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, FeatureInputs]:
    """A workspace whose city has a truth, and the inputs that its files would give."""
    preset = replace(
        PRESETS["skill"], first_day=date(2023, 11, 1), last_day=date(2024, 1, 20),
        complaints_per_day=60, target_per_day=20.0,
    )  # fmt: skip
    world = simulate_world(preset, 3)
    home = tmp_path_factory.mktemp("home")
    workspace = Workspace(Settings(origin="synthetic", home=home))
    folder = workspace.city_folder
    folder.mkdir(parents=True)
    write(folder, world)
    inputs = replace(inputs_of(world), history_start=date(2023, 11, 1))
    return workspace, inputs


def test_both_ceilings_stand_beside_the_models(synthetic) -> None:
    workspace, inputs = synthetic
    n_cells = inputs.grid.n_cells
    rows = ceiling_table(
        workspace, workspace.area("nyc"), inputs, DAYS,
        np.full((7, n_cells), 1e-3), np.arange(n_cells) < 900,
    )  # fmt: skip
    assert set(rows["model"]) == {"ceiling_omniscient", "ceiling_filtering"}
    gain = rows.filter(metric="information_gain_bits", mask="land")
    assert (gain["value"] > 0.5).all()


def test_another_target_and_real_data_have_no_truth(synthetic, tmp_path: Path) -> None:
    workspace, inputs = synthetic
    area = workspace.area("nyc")
    robbery = replace(inputs, target=Series("target", ("complaints",), ("robbery",)))
    assert city_truth(workspace, area, robbery) is None
    real = Workspace(Settings(origin="files", data_dir=tmp_path, home=tmp_path / "home"))
    assert city_truth(real, area, inputs) is None
    assert ceiling_table(
        real, area, inputs, DAYS, np.ones((7, 1)), np.ones(1, dtype=bool)
    ).is_empty()


def test_a_synthetic_workspace_without_its_city_says_so(synthetic, tmp_path: Path) -> None:
    _, inputs = synthetic
    empty = Workspace(Settings(origin="synthetic", home=tmp_path))
    with pytest.raises(SourceError, match="is absent"):
        city_truth(empty, empty.area("nyc"), inputs)
