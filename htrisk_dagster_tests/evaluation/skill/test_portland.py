"""Portland: PAI and PEI by hand, rules kept, the choice blind to the windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.evaluation.skill import portland
from htrisk_dagster.evaluation.skill.portland import (
    CITY_SQUARE_MILES,
    Burglaries,
    Squares,
    choice_origins,
    outcome,
    poisson_interval,
)

DATA = Path(__file__).parents[3].parent / "shared/data"
needs_data = pytest.mark.skipif(
    not (DATA / portland.FILE).is_file(), reason=f"real files are absent: no {DATA / portland.FILE}"
)


def test_pai_and_pei_by_hand():
    # Cells of 2,640 ft are a quarter of a square mile: one is chosen.
    counts = np.array([3.0, 5.0, 0.0, 2.0])
    found = outcome(np.array([0.9, 0.1, 0.9, 0.2]), counts, side_ft=2640, area_square_miles=0.25)
    assert (found.hits, found.best_hits, found.incidents) == (3, 5, 10)
    assert found.pai == pytest.approx(0.3 / (0.25 / CITY_SQUARE_MILES))
    assert found.pei == pytest.approx(3 / 5)
    best = outcome(counts, counts, side_ft=2640, area_square_miles=0.25)
    assert found.pei == pytest.approx(found.pai / best.pai)


def test_every_size_and_area_keeps_the_rules():
    for side in portland.SIDES_FT:
        assert 62_500 <= side**2 <= 360_000
        for area in portland.AREAS_SQUARE_MILES:
            risk = np.arange(5000.0)
            found = outcome(risk, np.ones(5000), side_ft=side, area_square_miles=area)
            assert 0.25 <= found.share * CITY_SQUARE_MILES <= 0.75


def test_garwood_interval_of_known_counts():
    # Garwood 1936, table: 0 -> (0, 3.69), 5 -> (1.62, 11.67).
    assert poisson_interval(0) == pytest.approx((0, 3.69), abs=0.005)
    assert poisson_interval(5) == pytest.approx((1.62, 11.67), abs=0.005)


def test_windows_of_the_choice_end_where_the_forecast_begins():
    assert choice_origins(1000, 92) == [1000 - 3 * 92, 1000 - 2 * 92, 1000 - 92]
    assert len(choice_origins(1000, 7)) == 52


def test_a_decayed_count_by_hand_and_mass_is_kept():
    incidents = Burglaries(np.array([0, 10, 10, 19]), np.array([0.0, 600, 600, 0]), np.zeros(4))
    squares = Squares.of(incidents, 500)
    assert squares.decayed(20, 10.0).tolist() == [0.25 + 2**-0.1, 1.0]
    assert squares.decayed(10, 10.0).tolist() == [0.5, 0.0]
    assert squares.counts(10, 19).tolist() == [0, 2]
    assert squares.smoothed(squares.counts(0, 20), 800.0).sum() == pytest.approx(4)


def write_city(folder: Path, *, last_day: str, seed: int = 3) -> None:
    """Burglaries around two corners of a city 20,000 ft wide, three years of them."""
    rng = np.random.default_rng(seed)
    n = 3000
    days = np.datetime64("2014-05-01") + np.sort(rng.integers(0, 1126, n))
    corner = rng.integers(0, 2, n) * 12_000
    path = folder / portland.FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame(
        {
            "occ_date": days,
            "x_coordina": (7_610_000 + corner + rng.exponential(1500, n)).round().astype(int),
            "y_coordina": (670_000 + rng.exponential(1500, n)).round().astype(int),
        }
    )
    frame.filter(pl.col("occ_date") <= pl.lit(last_day).str.to_date()).write_csv(path)


def test_the_choice_sees_nothing_of_the_windows(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(portland, "WINDOW_DAYS", {"1 month": 31})
    monkeypatch.setattr(portland, "SIDES_FT", (500, 600))
    monkeypatch.setattr(portland, "HALF_LIVES_DAYS", (91.0, 365.0))
    write_city(tmp_path / "whole", last_day="2017-05-31")
    write_city(tmp_path / "one day", last_day="2017-03-01")
    whole, cut = (
        portland.forecast_portland(str(tmp_path / name))["windows"]["1 month"]
        for name in ("whole", "one day")
    )
    assert whole["incidents"] > cut["incidents"] > 0
    chosen = ("side_ft", "area_square_miles", "choice_pai", "choice_nats_per_incident")
    for name, model in whole["models"].items():
        assert {k: model[k] for k in chosen} == {k: cut["models"][name][k] for k in chosen}
    smooth, raw = (whole["models"][m] for m in ("kde", "historical_mean"))
    # Corners are wide, so a kernel tells more of the next place than last place's own count.
    assert smooth["choice_nats_per_incident"] > raw["choice_nats_per_incident"] + 0.05


def test_a_folder_without_the_file_is_told(tmp_path: Path):
    with pytest.raises(SourceError, match="There is no file"):
        portland.forecast_portland(str(tmp_path))


@pytest.mark.real_data
@needs_data
def test_the_real_windows_hold_what_a_count_of_the_file_says():
    incidents = portland.read_burglaries(DATA / portland.FILE)
    first = (portland.FIRST_WINDOW_DAY - portland.FIRST_WINDOW_DAY.fromordinal(719163)).days
    squares = Squares.of(incidents, 600)
    found = {n: squares.counts(first, first + d).sum() for n, d in portland.WINDOW_DAYS.items()}
    assert found == {"1 week": 20, "2 weeks": 41, "1 month": 93, "2 months": 175, "3 months": 268}
    assert len(incidents.day) == 5364
