from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.models.empirical_bayes import EmpiricalBayes, columns_read
from htrisk_dagster.models.rate_offset import RateOffset, block_edges, offsets


def test_blocks_cover_all_days_once():
    edges = block_edges(822, 5)
    assert (edges[0], edges[-1], len(edges)) == (0, 822, 6)
    assert set(np.diff(edges)) == {164, 165}


def test_a_huge_day_does_not_reach_the_offset_of_its_own_block(small_city):
    """400 incidents on one day move the offset of every other block, and their own not at all."""
    block = small_city.block
    counts = block.counts.copy()
    counts[100, 7] += 400
    before, after = (offsets(b, 5)[0] for b in (block, replace(block, counts=counts)))
    edges = block_edges(block.n_days, 5)
    own = int(np.searchsorted(edges, 100, side="right")) - 1
    is_own = (np.arange(block.n_days) >= edges[own]) & (np.arange(block.n_days) < edges[own + 1])
    np.testing.assert_array_equal(after[is_own], before[is_own])
    assert (after[~is_own, 7] - before[~is_own, 7]).min() > 0.1


def test_each_block_is_empirical_bayes_on_the_days_around_it(small_city):
    block = small_city.block
    others = np.r_[0:64, 128:320]
    by_hand = EmpiricalBayes()
    by_hand.fit(
        replace(
            block,
            days=block.days[others],
            features=block.features[others],
            counts=block.counts[others],
        ),
        seed=0,
    )
    held_out = block.between(block.days[64], block.days[128]).without_truth()
    log_rates, _ = offsets(block, 5)
    np.testing.assert_array_equal(log_rates[64:128], np.log(by_hand.predict(held_out)))


def test_days_to_come_have_the_rate_of_all_training_days(small_city):
    train, test, _ = small_city.split(240)
    _, offset = offsets(train, 5)
    model = EmpiricalBayes()
    model.fit(train, seed=0)
    test = test.without_truth()
    np.testing.assert_array_equal(offset.rates(test), model.predict(test))
    assert offset.log_city_mean == pytest.approx(math.log(train.counts.mean()), rel=1e-6)
    again = RateOffset.from_bytes(offset.to_bytes())
    np.testing.assert_array_equal(again.rates(test), offset.rates(test))
    assert again.log_city_mean == offset.log_city_mean


def test_the_same_block_is_fitted_once_and_another_anew(small_city, monkeypatch):
    block, fits = small_city.block, []
    fit = EmpiricalBayes.fit
    monkeypatch.setattr(
        EmpiricalBayes, "fit", lambda self, *a, **k: fits.append(1) or fit(self, *a, **k)
    )
    counts = block.counts.copy()
    counts[0, 0] += 1  # a block that no other test has asked for
    fresh = replace(block, counts=counts)

    first, second = (offsets(replace(fresh), 3) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1] == second[1]
    assert len(fits) == 4
    counts[1, 0] += 1
    offsets(replace(fresh, counts=counts), 3)
    assert len(fits) == 8


def test_what_empirical_bayes_does_not_read_changes_nothing(small_city, monkeypatch):
    """A fit on the columns it says it reads is a fit on all of them; another column is no other key."""
    block = small_city.block
    read = columns_read(block.names)
    assert 0 < len(read) < len(block.names)
    fits = [EmpiricalBayes() for _ in range(2)]
    for model, of in zip(fits, (block, block.select(read)), strict=True):
        model.fit(of, seed=0)
    assert fits[0].to_bytes() == fits[1].to_bytes()
    features = block.features.copy()
    features[:, :, [n not in read for n in block.names]] += 1
    _, before = offsets(block, 5)
    monkeypatch.setattr(EmpiricalBayes, "fit", lambda *a, **k: pytest.fail("fitted again"))
    _, after = offsets(replace(block, features=features), 5)
    assert before == after
