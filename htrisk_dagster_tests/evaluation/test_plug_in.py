from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.count_scores import poisson_deviance
from htrisk_dagster.evaluation.discrimination import roc_auc
from htrisk_dagster.evaluation.plug_in import LOWER, UPPER, plug_in_bracket
from htrisk_dagster.models.historical_mean import mean_rates
from scipy.signal import lfilter

FELONIES = (
    Path(__file__).parents[3] / "shared/data/nyc/complaints/nypd_felonies_2014_2015_STHSL.csv.gz"
)


def world(seed: int, per_day: float, n_days: int = 420, n_cells: int = 150):
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n_days, n_cells)) * 0.2
    true = rng.lognormal(0, 1.2, n_cells) * np.exp(lfilter([1.0], [1.0, -0.9], noise, axis=0))
    true *= np.array([0.8, 0.9, 1, 1, 1.1, 1.2, 1.0])[np.arange(n_days) % 7][:, None]
    true *= per_day * n_days / true.sum()
    return true, rng.poisson(true)


@pytest.mark.parametrize("per_day", [40.0, 4.0])
def test_the_bracket_holds_the_truth(per_day):
    true, counts = world(0, per_day)
    scored = slice(-91, None)
    bracket = plug_in_bracket(counts, scored_days=91)
    best = roc_auc(counts[scored], true[scored])
    low, high = (roc_auc(counts[scored], bracket.forecasts()[n]) for n in (LOWER, UPPER))
    assert low < best < high
    # It brackets, it is not vacuous: far over the city's rate, and far from all-knowing.
    assert low > 0.5 + 0.85 * (best - 0.5)
    assert high < 0.5 + 1.5 * (best - 0.5)
    assert poisson_deviance(counts[scored], bracket.in_sample) < poisson_deviance(
        counts[scored], true[scored]
    )
    # Both have the right level.
    assert bracket.cross_fitted.sum() == pytest.approx(counts[scored].sum(), rel=0.1)


def test_the_week_of_a_day_is_left_out_of_its_own_estimate():
    _, counts = world(1, 20.0)
    bracket = plug_in_bracket(counts, scored_days=91)
    # Two cells change places for a week: the city's weekdays stay, the choice of weights too.
    busy, quiet = np.argsort(counts[-91 + 35 : -91 + 42].sum(axis=0))[[-1, 0]]
    changed = counts.copy()
    week = slice(-91 + 35, -91 + 42)
    changed[week, busy], changed[week, quiet] = counts[week, quiet], counts[week, busy]
    other = plug_in_bracket(changed, scored_days=91)
    assert (other.weeks_around, other.local_weeks) == (bracket.weeks_around, bracket.local_weeks)
    assert np.allclose(other.cross_fitted[35:42], bracket.cross_fitted[35:42], rtol=1e-9)
    assert not np.allclose(other.in_sample[35:42], bracket.in_sample[35:42])
    # Weeks that come after a day do count: it is hindsight.
    assert not np.allclose(other.cross_fitted[28:35], bracket.cross_fitted[28:35], rtol=1e-4)


def test_rates_by_hand():
    # Three whole weeks, two cells, one incident: in cell 0 in the middle week.
    counts = np.zeros((21, 2))
    counts[10, 0] = 1
    bracket = plug_in_bracket(counts, scored_days=7)
    weekday = (np.array([0, 0, 0, 1, 0, 0, 0]) + 0.5) / 3
    factor = weekday / weekday.mean()
    # Seen from the last week, one in 14 days in two cells; all three weeks lie near.
    city = 1 / 28
    place, local = bracket.place_incidents, 7 * bracket.local_weeks
    long = np.array([(1 + place) / (14 + place / city), place / (14 + place / city)])
    near = (np.array([1, 0]) + local * long) / (14 + local)
    assert bracket.cross_fitted == pytest.approx(factor[:, None] * near)


@pytest.mark.parametrize(
    ("counts", "scored"), [(np.ones((20, 2)), 5), (np.zeros((30, 2)), 5), (np.ones((30, 2)), 31)]
)
def test_too_little_to_bracket_is_refused(counts, scored):
    with pytest.raises(ValueError, match="three weeks and one incident"):
        plug_in_bracket(counts, scored_days=scored)


@pytest.mark.real_data
@pytest.mark.skipif(not FELONIES.exists(), reason=f"{FELONIES} is absent")
def test_robbery_of_new_york_in_the_last_quarter_of_2015():
    """field.md 1.1: historical mean .826, plug-in ceiling .817 (another estimator) on 500 m cells."""
    from pyproj import Transformer

    rows = pl.read_csv(FELONIES, infer_schema=False)
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:32618", always_xy=True).transform(
        *(rows[name].cast(pl.Float64).to_numpy() for name in ("Longitude", "Latitude"))
    )
    day = rows["Occurrence Date"].str.slice(0, 10).str.to_date("%m/%d/%Y")
    day_index = (day - pl.select(pl.date(2014, 1, 1)).item()).dt.total_days().to_numpy()
    # Active cells: those with any of the four felonies.
    _, cell = np.unique(np.floor(x / 500) * 100_000 + np.floor(y / 500), return_inverse=True)
    robbery = (rows["Offense"] == "ROBBERY").to_numpy()
    counts = np.zeros((730, cell.max() + 1))
    np.add.at(counts, (day_index[robbery], cell[robbery]), 1)
    bracket = plug_in_bracket(counts, scored_days=92)
    low, high = (roc_auc(counts[-92:], f) for f in bracket.forecasts().values())
    mean = np.tile(mean_rates(counts[:-92].sum(axis=0), 638), (92, 1))
    assert roc_auc(counts[-92:], mean) == pytest.approx(0.826, abs=0.01)
    assert low == pytest.approx(0.83, abs=0.01)
    assert 0.88 < high < 0.99
