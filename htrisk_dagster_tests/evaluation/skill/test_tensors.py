"""The benchmark tensors: errors by hand, counts preserved, and the constant 1 under the mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.evaluation.skill import tensors
from htrisk_dagster.evaluation.skill.targets import CONSTANT_ONE_MASKED
from htrisk_dagster.evaluation.skill.tensors import CATEGORIES, errors, read_tensor, tensor_inputs
from htrisk_dagster.features.feature_matrix import build_block

DATA = Path(__file__).parents[3].parent / "shared/data"
needs_data = pytest.mark.skipif(
    not (DATA / tensors.FILE).is_file(), reason=f"real files are absent: no {DATA / tensors.FILE}"
)


def test_errors_by_hand():
    found = errors([[0, 2], [0, 4]], [[1.0, 1.0], [1.0, 1.0]])
    assert found["mae"] == (1 + 1 + 1 + 3) / 4
    assert found["rmse"] == pytest.approx(np.sqrt((1 + 1 + 1 + 9) / 4))
    assert found["masked_mae"] == (1 + 3) / 2
    assert found["masked_mape"] == (1 / 2 + 3 / 4) / 2
    assert found["poisson_deviance"] == pytest.approx(
        2 * (1 + 1 + (2 * np.log(2) - 1) + (4 * np.log(4) - 3)) / 4
    )
    assert errors([[0, 2]], [[0.0, 0.0]])["poisson_deviance"] == np.inf


def test_counts_come_back_out_of_the_inputs():
    tensor = np.random.default_rng(1).poisson(0.4, (40, 6, 5, 4))
    for number, category in enumerate(CATEGORIES):
        inputs = tensor_inputs(tensor, category)
        stop = inputs.history_start.fromordinal(inputs.history_start.toordinal() + 40)
        block = build_block(inputs, inputs.history_start, stop, with_counts=True)
        assert np.array_equal(block.counts, tensor[..., number].reshape(40, 30))
    # Pseudo-precincts of 4 x 4 and boroughs of 8 x 8 cells: two rows of two, and one.
    assert len(np.unique(block.precinct_index)) == 4
    assert len(np.unique(block.borough_index)) == 1
    lag = block.column("target_lag_1")
    assert np.array_equal(lag[2:], tensor[:-2, ..., 3].reshape(38, 30))


def test_a_file_without_a_split_is_refused(tmp_path: Path):
    np.savez(tmp_path / "t.npz", trn=np.zeros((2, 2, 3, 4)), val=np.zeros((2, 2, 3, 4)))
    with pytest.raises(SourceError, match="lacks the split 'tst'"):
        read_tensor(tmp_path / "t.npz")


@pytest.mark.real_data
@needs_data
def test_the_constant_one_under_the_mask_is_as_published():
    test = read_tensor(DATA / tensors.FILE)[-92:]
    for number, category in enumerate(CATEGORIES):
        counts = test[..., number].reshape(92, -1)
        found = errors(counts, np.ones(counts.shape))
        wanted = CONSTANT_ONE_MASKED[category]
        assert (round(found["masked_mae"], 4), round(found["masked_mape"], 4)) == wanted
        # Over every cell-day it is worse than expecting nothing at all.
        assert found["mae"] > 2 * errors(counts, np.zeros(counts.shape))["mae"]
