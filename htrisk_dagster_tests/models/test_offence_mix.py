from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models import offence_mix
from htrisk_dagster.models.offence_mix import TREATMENTS, OffenceMix, with_synthetic_rows
from htrisk_dagster_tests.models.mixed_offences import N_CLASSES, draw, few_rounds, truth


@pytest.fixture(scope="module", params=TREATMENTS)
def fitted(request: pytest.FixtureRequest) -> OffenceMix:
    model = OffenceMix(N_CLASSES, request.param)
    with few_rounds():
        model.fit(*draw(2500, 1), seed=3)
    return model


def test_calibrated_probabilities_come_near_the_truth_by_every_treatment(fitted: OffenceMix):
    contexts, labels = draw(4000, 2)
    right, found = truth(contexts), fitted.predict(contexts)
    assert found.sum(axis=1) == pytest.approx(1.0)
    entropy = -(right * np.log(right)).sum(axis=1).mean()
    cross = -(right * np.log(found)).sum(axis=1).mean()
    shares = np.bincount(labels, minlength=3) / len(labels)
    assert cross - entropy < 0.25 * (-(right * np.log(shares)).sum(axis=1).mean() - entropy)
    assert found.mean(axis=0) == pytest.approx(right.mean(axis=0), abs=0.025)


def test_weights_and_synthetic_rows_inflate_the_rare_class_until_calibrated(fitted: OffenceMix):
    contexts, _ = draw(4000, 2)
    rare = truth(contexts)[:, 2].mean()
    before, after = (
        p(contexts)[:, 2].mean() for p in (fitted.predict_uncalibrated, fitted.predict)
    )
    assert after == pytest.approx(rare, rel=0.35)
    assert (before > 2 * rare) == (fitted.treatment != "none")


def test_a_model_reads_back_equal(fitted: OffenceMix):
    contexts, _ = draw(50, 4)
    again = OffenceMix.from_bytes(fitted.to_bytes())
    assert again.predict(contexts).tobytes() == fitted.predict(contexts).tobytes()


def test_synthetic_rows_lie_between_rows_of_their_class_and_keep_codes_whole():
    contexts, labels = draw(600, 5)
    found, classes = with_synthetic_rows(contexts, labels, seed=1)
    assert np.bincount(classes).tolist() == [np.bincount(labels).max()] * 3
    assert found[: len(contexts)].tobytes() == contexts.tobytes()
    made = found[len(contexts) :]
    assert set(np.unique(made[:, 0])) <= set(range(4))
    rare = contexts[labels == 2]
    of_rare = made[classes[len(contexts) :] == 2]
    assert (of_rare >= rare.min(axis=0)).all()
    assert (of_rare <= rare.max(axis=0)).all()


def test_a_class_of_five_rows_gets_no_synthetic_ones():
    contexts, labels = draw(300, 5)
    keep = (labels != 2) | (np.cumsum(labels == 2) <= 5)
    _, classes = with_synthetic_rows(contexts[keep], labels[keep], seed=1)
    assert (classes == 2).sum() == 5


def test_smote_sees_training_parts_alone(monkeypatch: pytest.MonkeyPatch):
    """Four parts that each lack a block, then all rows; what is judged on is never resampled."""
    contexts, labels = draw(200, 6)
    contexts[:, 4] = np.arange(200)  # tells rows apart
    seen: list[set[float]] = []

    def spy(rows, classes, *, seed):
        seen.append(set(rows[:, 4]))
        return rows, classes

    monkeypatch.setattr(offence_mix, "with_synthetic_rows", spy)
    with few_rounds():
        OffenceMix(N_CLASSES, "smote").fit(contexts, labels, seed=1)
    blocks = [set(range(200)) - part for part in seen[:4]]
    assert sorted(len(b) for b in blocks) == [50, 50, 50, 50]
    assert set().union(*blocks) == set(range(200))
    assert seen[4] == set(range(200))


def test_the_same_rows_and_seed_give_the_same_bytes():
    first, second = (OffenceMix(N_CLASSES) for _ in range(2))
    for model in (first, second):
        with few_rounds():
            model.fit(*draw(300, 7), seed=3)
    assert first.to_bytes() == second.to_bytes()
