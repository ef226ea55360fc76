"""Whether a map that is followed makes itself true: simulated dispatch, discovered incidents weighted.

Belongs here: the simulation and its table. Does not: the map (`models`), the rule that raises an alarm
in Dagster (`fairness_findings`).

Lum and Isaac 2016 (Significance 13, doi 10.1111/j.1740-9713.2016.00960.x) sent patrols where a model
pointed and fed it what they found; Ensign et al. 2018 (FAT*, PMLR 81) proved that such a model runs
away, as a Polya urn does, and that it does not where a discovered incident is taken the less often,
the more often its place is visited.

The simulation: what truly is reported in a cell and week is Poisson with the mean of the champion's
forecast. Each week the top 1% of cells by belief are visited, and what is discovered there is Poisson
with the `discovery_ratio` times that mean. Belief is a year of the forecast, then the mean of it and
of all weeks so far. Three rules count what was discovered: not at all, like a report, or weighted by
min(1, fair share of visits / own share of visits). Rules meet the same draws of reports. *Inflation*
is the share of incidents that the belief puts into its last top cells, over the true one. Picking the
highest beliefs inflates by itself, and so "reported only" is what the others are held against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.pairs import cells_in_budget, top_cells
from htrisk_dagster.schemas.governance import FEEDBACK_LOOP, FEEDBACK_RULES

N_WEEKS = 26
N_SIMULATIONS = 20
BUDGET_PCT = 1.0
DISCOVERY_RATIOS = (0.5, 2.0)
_WEEKS_KNOWN = 52

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LoopOutcome:
    """What many simulations of one rule came to; arrays of shape (R,).

    Parameters
    ----------
    kept, truth, believed : float64
        Share of the first top cells that stay; shares of incidents in the last top cells.
    """

    kept: Array
    truth: Array
    believed: Array

    @property
    def inflation(self) -> Array:
        """Believed over true share."""
        return self.believed / self.truth


def simulate_dispatch(
    weekly: Array,
    *,
    rule: str,
    discovery_ratio: float,
    seed: int,
    n_weeks: int = N_WEEKS,
    n_simulations: int = N_SIMULATIONS,
    budget_pct: float = BUDGET_PCT,
) -> LoopOutcome:
    """Simulate a dispatch by one rule of counting.

    Parameters
    ----------
    weekly : float64, shape (C,)
        True mean number of reports a week, above 0.
    rule : str
        Of `schemas.governance.FEEDBACK_RULES`.
    discovery_ratio : float
        Incidents discovered in a visited cell for each one reported there.
    seed : int
        The reports drawn depend on it alone, so that rules can be compared pairwise.
    n_weeks, n_simulations : int
    budget_pct : float
        Share of cells visited each week.
    """
    if rule not in FEEDBACK_RULES:
        raise ValueError(f"'{rule}' is none of the rules {FEEDBACK_RULES}.")
    n_cells = weekly.size
    n_visits = cells_in_budget(n_cells, budget_pct / 100)
    fair = n_visits / n_cells
    reports, finds = (np.random.default_rng([seed, stream]) for stream in (0, 1))
    shape = (n_simulations, n_cells)
    counted, visits = np.zeros(shape), np.zeros(shape)
    true = np.broadcast_to(weekly, shape)
    first = top = top_cells(true, n_visits)
    for week in range(1, n_weeks + 1):
        counted += reports.poisson(weekly, shape)
        visits += top
        if rule != FEEDBACK_RULES[0]:
            found = finds.poisson(discovery_ratio * true[top]).astype(np.float64)
            if rule == FEEDBACK_RULES[2]:
                found *= np.minimum(1.0, fair / (visits[top] / week))
            counted[top] += found
        belief = (_WEEKS_KNOWN * weekly + counted) / (_WEEKS_KNOWN + week)
        top = top_cells(belief, n_visits)
    return LoopOutcome(
        kept=(first & top).sum(axis=1) / n_visits,
        truth=np.where(top, true, 0).sum(axis=1) / weekly.sum(),
        believed=np.where(top, belief, 0).sum(axis=1) / belief.sum(axis=1),
    )


def feedback_table(
    expected: Array,
    *,
    month: date,
    target: str,
    seed: int,
    discovered_pct: float | None,
    discovery_ratios: Sequence[float] = DISCOVERY_RATIOS,
) -> pl.DataFrame:
    """Simulate every rule at every rate of discovery.

    Parameters
    ----------
    expected : float64, shape (D, C)
        Forecasts of the champion; their mean over days is the truth of the simulation.
    month : date
        First day on which the model may be used.
    target : str
    seed : int
    discovered_pct : float or None
        Share of the target's reports that police discovered; None where no source tells.

    Returns
    -------
    DataFrame
        `schemas.governance.FEEDBACK_LOOP`.
    """
    weekly = 7 * np.asarray(expected, dtype=np.float64).mean(axis=0)
    rows: list[dict[str, object]] = []
    alone = simulate_dispatch(weekly, rule=FEEDBACK_RULES[0], discovery_ratio=0, seed=seed)
    chance = float(np.quantile(alone.inflation, 0.975))
    for ratio in discovery_ratios:
        outcomes = {
            rule: simulate_dispatch(weekly, rule=rule, discovery_ratio=ratio, seed=seed)
            for rule in FEEDBACK_RULES[1:]
        }
        for rule, outcome in ({FEEDBACK_RULES[0]: alone} | outcomes).items():
            inflation = float(outcome.inflation.mean())
            low, high = (float(v) for v in np.quantile(outcome.inflation, [0.025, 0.975]))
            rows.append(
                {
                    "rule": rule,
                    "discovery_ratio": ratio,
                    "kept_pct": 100 * float(outcome.kept.mean()),
                    "truth_pct": 100 * float(outcome.truth.mean()),
                    "believed_pct": 100 * float(outcome.believed.mean()),
                    "inflation": inflation,
                    "inflation_lower_95": low,
                    "inflation_upper_95": high,
                    "is_alarm": inflation > chance,
                }
            )
    return FEEDBACK_LOOP.conform(
        pl.DataFrame(rows).with_columns(
            pl.lit(month).alias("month_on"),
            pl.lit(target).alias("target"),
            pl.lit(N_WEEKS, pl.Int32).alias("weeks_count"),
            pl.lit(BUDGET_PCT).alias("budget_pct"),
            pl.lit(discovered_pct, pl.Float64).alias("discovered_pct"),
        )
    )
