from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation import fairness_findings as rules
from htrisk_dagster.evaluation.feedback_loop import feedback_table, simulate_dispatch
from htrisk_dagster.schemas.governance import FEEDBACK_LOOP, FEEDBACK_RULES

WEEKLY = np.random.default_rng(5).gamma(0.5, 2.0, 400) + 0.01
MONTH = date(2024, 4, 1)


def simulated(rule, ratio=1.0, weekly=WEEKLY, **more):
    return simulate_dispatch(weekly, rule=rule, discovery_ratio=ratio, seed=3, **more)


def test_what_is_believed_is_the_closed_form_where_chance_is_small():
    """Two places, one visited for ever, 10,000 reports a week: belief tends to the mean counts.

    52 weeks of the truth and 26 of it with twice as many discoveries: (52 a + 26 x 3 a) / 78.
    """
    weekly = np.array([12_000.0, 8_000.0])
    found = simulated("as counted", 2.0, weekly, budget_pct=50.0)
    visited = 12_000 * (52 + 26 * 3) / 78
    assert found.kept.min() == 1.0
    assert found.truth == pytest.approx(0.6)
    assert found.believed == pytest.approx(visited / (visited + 8_000), abs=2e-3)


def test_weighted_discoveries_count_by_the_fair_share_of_visits():
    """The place is visited every week, half of all places are a week: its finds count half."""
    weekly = np.array([12_000.0, 8_000.0])
    found = simulated("weighted", 2.0, weekly, budget_pct=50.0)
    visited = 12_000 * (52 + 26 * 2) / 78
    assert found.believed == pytest.approx(visited / (visited + 8_000), abs=2e-3)


def test_counting_what_is_found_runs_away_and_weighing_it_does_not():
    reported, counted, weighted = (simulated(r, 2.0).inflation.mean() for r in FEEDBACK_RULES)
    assert counted > 1.3 * reported
    assert weighted == pytest.approx(reported, rel=0.03)


def test_rules_meet_the_same_reports():
    """Without discoveries all three are the same, draw by draw."""
    first, *others = (simulated(rule, 0.0) for rule in FEEDBACK_RULES)
    for other in others:
        assert (other.inflation == first.inflation).all()
        assert (other.kept == first.kept).all()


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="none of the rules"):
        simulated("guessed")


@pytest.fixture(scope="module")
def table():
    return feedback_table(
        np.tile(WEEKLY / 7, (3, 1)), month=MONTH, target="robbery", seed=3, discovered_pct=None
    )


def test_the_table_has_every_rule_and_rings_where_it_should(table):
    assert FEEDBACK_LOOP.problems(table) == []
    assert rules.loop_is_watched(table).holds
    alarms = table.filter("is_alarm").select("rule", "discovery_ratio").rows()
    assert ("as counted", 2.0) in alarms
    assert not [rule for rule, _ in alarms if rule != "as counted"]


def test_the_check_is_of_the_weighted_rule_and_tells_of_the_other(table):
    verdict = rules.weighted_loop_is_damped(table)
    assert verdict.holds
    counted = table.filter(rule="as counted", discovery_ratio=2.0)["inflation"][0]
    assert f"believe {counted:.2f} times" in verdict.sentence
    alarmed = table.with_columns(is_alarm=pl.col("rule") == "weighted")
    verdict = rules.weighted_loop_is_damped(alarmed)
    assert not verdict.holds
    assert "weighing them does not stop it" in verdict.sentence


def test_a_monitor_without_a_rule_is_caught(table):
    assert not rules.loop_is_watched(table.filter(pl.col("rule") != "weighted")).holds
    assert not rules.loop_is_watched(table.drop("inflation")).holds


def test_the_same_seed_gives_the_same_table(table):
    again = feedback_table(
        np.tile(WEEKLY / 7, (3, 1)), month=MONTH, target="robbery", seed=3, discovered_pct=None
    )
    assert again.equals(table)
