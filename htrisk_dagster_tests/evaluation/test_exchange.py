"""What leaves for a notebook: what each fold may see, and a digest that no change escapes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.evaluation.exchange import Origin, canonical_json
from htrisk_dagster_tests.evaluation.small_fold_set import (
    N_CELLS,
    N_DAYS,
    simulate,
    small_fold_set,
    two_folds,
    with_features,
)


def test_labels_are_those_the_fold_knew_and_no_others():
    block = simulate()
    data = small_fold_set(block)
    assert data.block.counts is None
    for index, fold in enumerate(data.folds):
        sees = (block.days >= np.datetime64(fold.train_start)) & (
            block.days < np.datetime64(fold.train_stop)
        )
        labels = data.labels[index]
        assert np.isnan(labels[~sees]).all()
        # The cutoff lies a day before the test; reports take three days, so the last day that is
        # known is four before the cutoff, and the gap of four leaves no training day out.
        np.testing.assert_array_equal(labels[sees], block.counts[sees])
    # The second fold trains on the test days of the first, the first does not.
    first_tested = data.block.days == np.datetime64(data.folds[0].test_start)
    assert np.isnan(data.labels[0][first_tested]).all()
    assert np.isfinite(data.labels[1][first_tested]).all()


def test_the_truth_of_test_days_cannot_be_told_from_the_set():
    block = simulate()
    other = replace(block, counts=block.counts.copy())
    tested = block.days >= np.datetime64(two_folds()[-1].test_start)
    other.counts[tested] += 5
    assert small_fold_set(block).digest() == small_fold_set(other).digest()


def test_late_reports_are_missing_from_the_labels():
    block = simulate()

    def slow(day: date):
        known = block.counts.copy()
        known[block.days + 20 >= np.datetime64(day)] = 0
        return known

    data = small_fold_set(block, counts_known_by=slow)
    fold = data.folds[0]
    train = data.training_block(0)
    late = train.days + 20 >= np.datetime64(fold.cutoff(1))
    assert 10 < late.sum() < 20
    assert train.counts[late].sum() == 0 < train.counts[~late].sum()


def test_a_range_takes_the_folds_that_fit_and_cuts_their_training():
    data = small_fold_set(start=date(2015, 1, 15), end=date(2015, 3, 12))
    first, last = two_folds()
    assert data.folds == (replace(first, train_start=date(2015, 1, 15)),)
    assert last.test_stop > date(2015, 3, 13)
    assert (str(data.block.days[0]), str(data.block.days[-1])) == ("2015-01-15", "2015-03-12")
    assert data.labels.shape == (1, data.block.n_days, N_CELLS)
    np.testing.assert_array_equal(data.training_block(0).days[0], np.datetime64("2015-01-15"))
    assert np.isfinite(data.training_block(0).counts).all()


def test_a_range_without_a_fold_is_refused():
    with pytest.raises(SettingError, match=r"No fold of 2015-04-01 lies within 2015-01-01 to 2015"):
        small_fold_set(end=date(2015, 3, 11))
    with pytest.raises(SettingError, match="Give an earlier --start"):
        small_fold_set(start=date(2015, 3, 20))


def test_sequences_are_the_lags_oldest_first():
    data = small_fold_set()
    day = 50
    found = data.sequences(day)
    assert found.shape == (N_CELLS, 7, 1)
    for position, lag in enumerate(range(7, 0, -1)):
        wanted = data.block.column(f"target_lag_{lag}")[day]
        np.testing.assert_array_equal(found[:, position, 0], wanted)


def test_the_digest_is_sha256_of_the_header_and_the_bytes():
    data = small_fold_set()
    text = json.dumps(data.header(), sort_keys=True)
    assert canonical_json(data.header()) == text
    by_hand = text.encode()
    by_hand += data.block.precinct_index.tobytes() + data.block.borough_index.tobytes()
    for day in range(N_DAYS):
        by_hand += data.block.features[day].tobytes() + data.labels[:, day].tobytes()
    assert data.digest() == hashlib.sha256(by_hand).hexdigest()


def test_any_change_changes_the_digest():
    data = small_fold_set()
    last_bit = data.block.features.copy()
    last_bit[7, 2, 8] = np.nextafter(last_bit[7, 2, 8], np.float32(9))
    sign = data.block.features.copy()
    sign[3, 0, 9] = 0.0  # was -0.0
    labels = data.labels.copy()
    labels[1, 0, 0] += 1
    changed = [
        with_features(data, last_bit),
        with_features(data, sign),
        replace(data, labels=labels),
        replace(data, origin=Origin(**{**vars(data.origin), "known_before": date(2015, 3, 30)})),
        replace(data, folds=(replace(data.folds[0], test_stop=date(2015, 3, 11)), data.folds[1])),
        replace(data, block=replace(data.block, borough_index=data.block.precinct_index)),
    ]
    digests = {data.digest(), *(c.digest() for c in changed)}
    assert len(digests) == len(changed) + 1


def test_every_nan_is_the_same_nan():
    data = small_fold_set()
    other = data.block.features.copy()
    other.view(np.uint32)[np.isnan(other)] = 0xFFC12345
    assert np.isnan(other).sum() == np.isnan(data.block.features).sum() > N_CELLS
    assert with_features(data, other).digest() == data.digest()


def test_parts_that_do_not_belong_together_are_refused():
    data = small_fold_set()
    with pytest.raises(ValueError, match="carries no counts"):
        replace(data, block=replace(data.block, counts=data.labels[0]))
    with pytest.raises(ValueError, match="the folds need \\(2, 90, 12\\)"):
        replace(data, labels=data.labels[:1])
    with pytest.raises(ValueError, match="The catalogue lists"):
        replace(data, catalogue=data.catalogue[:-1])
