from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.place_prior import PlacePrior

CONTEXTS = np.array([[0, 1], [0, 1], [0, 2], [1, 1]], dtype=float)
LABELS = np.array([0, 0, 1, 1])


def test_shares_are_pulled_to_the_coarser_place():
    prior = PlacePrior((0, 1), 2, pulled_by_rows=2.0).fit(CONTEXTS, LABELS)
    state = np.array([0.5, 0.5])
    place = (np.array([2, 1]) + 2 * state) / 5
    finer = (np.array([2, 0]) + 2 * place) / 4
    assert prior.predict(np.array([[0.0, 1.0]]))[0] == pytest.approx(finer)


def test_a_place_never_seen_has_the_share_of_the_finest_that_was():
    prior = PlacePrior((0, 1), 2, pulled_by_rows=2.0).fit(CONTEXTS, LABELS)
    unseen, new_town, nowhere = prior.predict(np.array([[1.0, 9.0], [0.0, 9.0], [7.0, 1.0]]))
    assert unseen == pytest.approx([1 / 3, 2 / 3])
    assert new_town == pytest.approx([0.6, 0.4])
    assert nowhere == pytest.approx([0.5, 0.5])


def test_without_columns_it_is_the_share_of_all_rows():
    found = PlacePrior((), 2).fit(CONTEXTS[:3], LABELS[:3]).predict(CONTEXTS)
    assert found == pytest.approx(np.tile([2.5 / 4, 1.5 / 4], (4, 1)))
