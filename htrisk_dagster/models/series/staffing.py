"""Hours by area and shift from a forecast, under a budget: where they meet the most expected reports.

Belongs here: what hours can meet, the integer programme, what stays uncovered. Does not: the forecast,
the split of a day into shifts (`peaks` gives the shares).

An hour of a team meets a stated number of reports; counts vary, so hours that would meet the mean meet
less than it in expectation. With N Poisson of mean m and room for c reports, E min(N, c) grows with
each further report by P(N > c), less and less, so that a linear programme finds the best whole duties.
Hours come in whole duties, of which every area can be promised some; the plan is solved to optimality
by HiGHS (scipy.optimize.milp; Huangfu and Hall 2018, doi 10.1007/s12532-017-0130-5). It plans help and
outreach for places; it says nothing of persons.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import SettingError
from htrisk_dagster.models.series.panel import Array
from htrisk_dagster.schemas.series import STAFFING_PLAN

SHIFTS = ("night", "day", "evening")
"""00 to 08, 08 to 16 and 16 to 24 o'clock, local."""


@dataclass(frozen=True)
class StaffingWish:
    """What a plan has to keep to.

    Parameters
    ----------
    budget_hours : float
        Hours of all areas and shifts together.
    duty_hours : float
        Length of one duty; hours come in multiples of it.
    reports_an_hour : float
        Reports that an hour of a team can meet.
    least_duties : int
        Duties that every area gets over its shifts, whatever its forecast.
    most_duties : int
        Duties that one area and shift can take.
    """

    budget_hours: float
    duty_hours: float = 8.0
    reports_an_hour: float = 0.5
    least_duties: int = 0
    most_duties: int = 60


@dataclass(frozen=True, eq=False)
class StaffingPlan:
    """Duties and what they meet.

    Parameters
    ----------
    duties : int64, shape (S, K)
        By area and shift.
    covered : float64, shape (S, K)
        Expected reports that are met.
    expected : float64, shape (S, K)
        Expected reports.
    """

    duties: NDArray[np.int64]
    covered: Array
    expected: Array

    @property
    def uncovered(self) -> float:
        """Expected reports that no hour meets."""
        return float((self.expected - self.covered).sum())


def expected_minimum(mean: Array, room: Array) -> Array:
    """E min(N, c) of Poisson counts N; shapes broadcast.

    Exact at whole c, m P(N <= c - 2) + c P(N >= c), and linear between.
    """
    from scipy.stats import poisson

    whole = np.floor(room)
    at_whole = mean * poisson.cdf(whole - 2, mean) + whole * poisson.sf(whole - 1, mean)
    return np.asarray(at_whole + (room - whole) * poisson.sf(whole, mean))


def plan(expected: Array, wish: StaffingWish) -> StaffingPlan:
    """Best whole duties under the budget.

    Parameters
    ----------
    expected : float64, shape (S, K)
        Expected reports by area and shift over the plan's period.
    wish : StaffingWish
        Budget and rules.

    Raises
    ------
    SettingError
        Where the budget is too small for the duties every area was promised, or the rules contradict
        each other.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, kron, vstack

    n_areas, n_shifts = expected.shape
    budget = int(wish.budget_hours // wish.duty_hours)
    if budget < wish.least_duties * n_areas:
        raise SettingError(
            f"{wish.budget_hours:g} hours are {budget} duties of {wish.duty_hours:g}, fewer than the "
            f"{wish.least_duties * n_areas} promised to {n_areas} areas. Raise the budget or promise less."
        )
    if wish.least_duties > wish.most_duties * n_shifts:
        raise SettingError(
            f"{wish.least_duties} duties an area are more than {n_shifts} shifts of {wish.most_duties} hold."
        )
    # More duties than meet all but a trace are of no use, and only make the programme larger.
    room = wish.duty_hours * wish.reports_an_hour
    useful = np.ceil((expected.max() + 6.0 * np.sqrt(expected.max()) + 6.0) / room)
    n_duties = int(min(wish.most_duties, max(useful, wish.least_duties)))
    steps = expected_minimum(expected[:, :, None], room * np.arange(n_duties + 1, dtype=np.float64))
    gain = np.diff(steps, axis=2)
    of_all = csr_array(np.ones((1, gain.size)))
    of_area = kron(csr_array(np.eye(n_areas)), np.ones((1, n_shifts * n_duties)))
    # One sum over all and one for each area, each within the former: such rows are totally unimodular
    # (a laminar family, Schrijver 2003), so that the corner HiGHS returns has whole duties.
    found = milp(
        -gain.ravel(),
        constraints=LinearConstraint(
            vstack([of_all, of_area]),
            np.r_[0.0, np.full(n_areas, float(wish.least_duties))],
            np.r_[float(budget), np.full(n_areas, np.inf)],
        ),
        bounds=Bounds(0.0, 1.0),
    )
    if not found.success:
        raise SettingError(f"No plan was found: {found.message}")
    duties = np.rint(found.x).reshape(gain.shape).sum(axis=2).astype(np.int64)
    covered = np.take_along_axis(steps, duties[:, :, None], axis=2)[:, :, 0]
    return StaffingPlan(duties, covered, expected)


def staffing_table(
    areas: tuple[str, ...],
    period_on: np.datetime64,
    found: StaffingPlan,
    wish: StaffingWish,
    *,
    known_before: date,
) -> pl.DataFrame:
    """As `schemas.series.STAFFING_PLAN`, one row an area and shift; reports before a day were used."""
    n_shifts = found.duties.shape[1]
    return STAFFING_PLAN.conform(
        pl.DataFrame(
            {
                "place": np.repeat(np.array(areas, dtype=object), n_shifts).tolist(),
                "known_before_on": [known_before] * found.duties.size,
                "period_on": np.full(found.duties.size, period_on),
                "shift": list(SHIFTS) * len(areas),
                "expected_count": found.expected.ravel(),
                "hours": found.duties.ravel() * wish.duty_hours,
                "budget_hours": np.full(found.duties.size, wish.budget_hours),
                "covered_count": found.covered.ravel(),
                "uncovered_count": np.maximum(found.expected - found.covered, 0.0).ravel(),
            }
        )
    )
