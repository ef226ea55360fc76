from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from htrisk_dagster.victim_population.separation import find_separation, separation_sentences

# Girl, woman, boy, man: intercept, male, minor, both.
SATURATED = np.array([[1, 0, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0]], dtype=float)
ADDITIVE = SATURATED[:, :3]


@pytest.mark.parametrize(
    ("yes", "no", "kind", "separated", "finite"),
    [
        ((90, 60, 40, 30), (20, 30, 40, 50), "none", (0, 0, 0, 0), (1, 1, 1, 1)),
        ((90, 60, 40, 10), (20, 30, 40, 50), "near", (0, 0, 0, 0), (1, 1, 1, 1)),
        # No man: his coefficient and the interaction run off, the others stay.
        ((90, 60, 40, 0), (20, 30, 40, 50), "quasi", (0, 0, 0, 1), (1, 0, 1, 0)),
        ((90, 60, 40, 0), (20, 30, 0, 50), "quasi", (0, 0, 1, 1), (1, 0, 1, 0)),
        ((90, 60, 0, 0), (0, 0, 40, 50), "complete", (1, 1, 1, 1), (0, 0, 0, 0)),
        # No record of a boy at all: nothing is separated, but nobody tells the interaction.
        ((90, 60, 0, 30), (20, 30, 0, 50), "empty", (0, 0, 0, 0), (1, 1, 1, 0)),
    ],
)
def test_planted_separation_in_the_saturated_model(yes, no, kind, separated, finite):
    found = find_separation(SATURATED, yes, no)
    assert found.kind == kind
    assert found.is_separated.tolist() == [bool(v) for v in separated]
    assert found.is_finite.tolist() == [bool(v) for v in finite]


def test_an_empty_corner_alone_does_not_separate_an_additive_model():
    # The man's cell has no "yes", but his coefficient is also the boy's, who has both.
    found = find_separation(ADDITIVE, (90, 60, 40, 0), (20, 30, 40, 50))
    assert found.kind == "near"
    assert found.is_finite.all()
    # With no boy either, sex is separated: it is males who have none.
    found = find_separation(ADDITIVE, (90, 60, 0, 0), (20, 30, 40, 50))
    assert found.is_separated.tolist() == [False, False, True, True]
    assert found.is_finite.tolist() == [True, False, True]


def test_cells_of_one_row_are_judged_together():
    # Sex is no term: girls without a "no" share their row with boys who have some.
    by_majority = SATURATED[:, [0, 2]]
    found = find_separation(by_majority, (90, 60, 40, 30), (0, 30, 40, 50))
    assert found.kind == "none"


def slopes_up_for_ever(design: np.ndarray, yes: np.ndarray, no: np.ndarray) -> bool:
    """By brute force over directions in {-2..2}^3: does the likelihood never fall along one?"""
    for direction in itertools.product(range(-2, 3), repeat=design.shape[1]):
        moved = design @ np.array(direction)
        never_falls = (moved[yes > 0] >= 0).all() and (moved[no > 0] <= 0).all()
        if never_falls and (moved[(yes + no) > 0] != 0).any():
            return True
    return False


def test_linear_program_agrees_with_trying_all_directions():
    rng = np.random.default_rng(4)
    answers = set()
    for _ in range(150):
        yes, no = rng.integers(0, 2, (2, 4)) * 20
        if not (yes + no).any():
            continue
        found = find_separation(ADDITIVE, yes, no)
        expected = slopes_up_for_ever(ADDITIVE, yes, no)
        assert (found.kind in ("quasi", "complete")) == expected
        answers.add(expected)
    assert answers == {True, False}


def test_other_software_stops_at_a_huge_coefficient_where_we_say_there_is_none():
    import statsmodels.api as sm

    yes, no = np.array([90, 60, 40, 0]), np.array([20, 30, 40, 50])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = sm.GLM(
            np.repeat([1.0, 0.0], 4),
            np.vstack([SATURATED, SATURATED]),
            family=sm.families.Binomial(),
            freq_weights=np.concatenate([yes, no]),
        ).fit()
    assert fit.params[1] < -15
    assert fit.bse[1] > 1_000
    assert find_separation(SATURATED, yes, no).is_finite.tolist() == (fit.bse < 10).tolist()


def test_sentences_name_cells_and_terms_and_no_small_count():
    names = ["girl", "woman", "boy", "man"]
    terms = ["intercept", "male", "minor", "male_x_minor"]
    found = find_separation(SATURATED, (90, 60, 7, 0), (20, 30, 40, 50))
    sentences = separation_sentences(found, outcome="is_x", cells=names, terms=terms)
    assert len(sentences) == 3
    assert sentences[0].startswith("Quasi-complete separation of is_x")
    assert "in: man;" in sentences[0]
    assert "for: male; male_x_minor;" in sentences[1]
    assert "fewer than 11 records with or without is_x in: boy;" in sentences[2]
    assert "7" not in "".join(sentences)
    clear = find_separation(SATURATED, (90, 60, 40, 30), (20, 30, 40, 50))
    assert separation_sentences(clear, outcome="is_x", cells=names, terms=terms) == ()
