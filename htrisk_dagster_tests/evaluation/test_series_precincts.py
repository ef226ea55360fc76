"""The publisher's weekly file as a panel, and the judgement of what a run found."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import SettingError, SourceError
from htrisk_dagster.evaluation import series_suite
from htrisk_dagster.evaluation.series_precincts import FILE, read_weeks
from htrisk_dagster.models.series.week_split import months_of_weeks

REAL = Path(__file__).parents[3] / "shared" / "data"


def write(path: Path, rows: list[tuple[datetime, str, str, str, int]]) -> Path:
    names = ["week_start", "precinct", "ofns_desc", "law_cat_cd", "n"]
    pl.DataFrame(rows, schema=names, orient="row").write_parquet(path)
    return path


def test_labels_are_summed_unknown_is_left_out_and_a_missing_week_is_zero(tmp_path: Path) -> None:
    first, third = datetime(2024, 1, 1), datetime(2024, 1, 15)
    file = write(
        tmp_path / "w.parquet",
        [
            (first, "5", "KIDNAPPING", "FELONY", 2),
            (first, "5", "KIDNAPPING & RELATED OFFENSES", "FELONY", 3),
            (first, "10", "PETIT LARCENY", "MISDEMEANOR", 4),
            (third, "10", "PETIT LARCENY", "MISDEMEANOR", 1),
            (third, "UNKNOWN", "PETIT LARCENY", "MISDEMEANOR", 9),
        ],
    )
    panel = read_weeks(file)
    assert panel.areas == ("5", "10")
    assert panel.counts.tolist() == [[5, 4], [0, 0], [0, 1]]
    assert read_weeks(file, "FELONY").counts.sum() == 5


def test_a_week_that_begins_on_no_monday_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path / "w.parquet", [(datetime(2024, 1, 2), "5", "x", "FELONY", 2)])
    with pytest.raises(SourceError, match="does not begin on a Monday"):
        read_weeks(file)


@pytest.mark.real_data
def test_real_months_add_up_to_the_year_that_the_publisher_states() -> None:
    if not (REAL / FILE).is_file():
        pytest.skip(f"{REAL / FILE} is absent")
    months = months_of_weeks(read_weeks(REAL / FILE))
    assert len(months.areas) == 78
    assert str(months.starts[0]) == "2006-02-01"
    assert str(months.starts[-1]) == "2024-12-01"
    year = months.starts.astype("datetime64[Y]")
    total = months.counts[year == np.datetime64("2024")].sum()
    # 577,108 by day of report; these are by day of occurrence.
    assert total == pytest.approx(577_108, rel=0.01)


def result(*, direction: float, mape: float, coverage: float = 0.95) -> dict:
    def score(value: float, noise: float = 0.5) -> dict[str, float]:
        return {"value": value, "noise": noise, "naive": 1.0}

    models = {
        "champion": {
            "mae": score(30.0), "rmse": score(40.0), "mape": score(mape, 0.04), "mase": score(0.6),
            "r_squared": score(0.5), "directional_accuracy": score(direction),
        },
    }  # fmt: skip
    models["trailing_mean"] = {**models["champion"], "directional_accuracy": score(0.66)}
    errors = {
        name: {"years": 0.84, "all": 0.86, "mape": 0.1, "mape_floor": 0.04} for name in models
    }
    share = {"month_ahead": coverage, "years": coverage, "all": coverage}
    return {
        "areas": 78, "months": 24, "incidents": 1e6, "mean": 600.0, "reason": "Because.",
        "half_life": 6.0, "split_factor": 0.96, "overdispersion": 1.4, "year_ahead": errors,
        "month_ahead": {"models": models, "mase_95": [0.5, 0.7], "city_directional_accuracy": 0.8},
        "bands": {
            **share, "all_95": [0.9, 0.99], "by_horizon": [coverage] * 12,
            "years_before": {"2019": 0.96, "2020": 0.65},
            "width_pct": {"month_ahead": 30.0, "twelve_ahead": 60.0},
        },
        "hindsight": {"mape": 0.05, "directional_accuracy": 0.78},
    }  # fmt: skip


def test_figures_are_judged_against_their_targets() -> None:
    found = {j.figure: j for j in series_suite.judge("all", result(direction=0.74, mape=0.0455))}
    reached = {figure: j.is_reached for figure, j in found.items()}
    assert reached == {
        "MASE, one month ahead": True,
        "MASE, one year ahead from December": True,
        "MASE, 1 to 12 months ahead": False,
        "coverage of the 95% band, one month ahead": True,
        "coverage of the 95% band, one year ahead from December": True,
        "coverage of the 95% band, 1 to 12 months ahead": True,
        "directional accuracy less that of reverting to the mean of the last year": True,
        "directional accuracy less that of independent noise": False,
        "MAPE over its Poisson floor, areas above 100 a month": True,
    }
    worse = result(direction=0.74, mape=0.047, coverage=0.98)
    assert sum(j.is_reached for j in series_suite.judge("all", worse)) == 3
    # As JSON gives it back, its keys sorted.
    stored = json.loads(json.dumps(result(direction=0.74, mape=0.0455), sort_keys=True))
    text = series_suite.result_text("all", stored)
    assert "| champion | 30.0 | 40.0 | 4.55 | 0.600 |" in text
    assert "MAPE is 10.00%, 2.50 of its floor" in text
    assert "held 96.0% in 2019, 65.0% in 2020:" in text


def test_a_wrong_part_and_a_missing_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no part 'x'"):
        series_suite.part_units("x", tmp_path)
    with pytest.raises(SettingError, match="by --data"):
        series_suite.part_units("precincts", None)
    with pytest.raises(SourceError, match="is absent"):
        series_suite.part_units("precincts", tmp_path)
