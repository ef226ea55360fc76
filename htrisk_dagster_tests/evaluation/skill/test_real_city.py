"""Real incidents on the anchors' lattice: by hand on a few rows, and the anchors themselves."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.evaluation.comparison import point_values
from htrisk_dagster.evaluation.skill import felonies, weekly_anchors
from htrisk_dagster.evaluation.skill.real_city import (
    FELONIES,
    METRES_PER_DEGREE,
    city_inputs,
    read_incidents,
    target_series,
)
from htrisk_dagster.evaluation.skill.targets import (
    ACTIVE_CELLS,
    AUC_TOLERANCE,
    DAILY_ANCHORS,
    REFERENCE,
    WEEKLY_ANCHORS,
)
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.models.historical_mean import mean_rates
from htrisk_dagster_tests.sources.published_files import FELONIES as HEADER
from htrisk_dagster_tests.sources.published_files import write_file

DATA = Path(__file__).parents[3].parent / "shared/data"
needs_data = pytest.mark.skipif(
    not (DATA / felonies.FILE).is_file(), reason=f"real files are absent: no {DATA / felonies.FILE}"
)


def at(east_m: float, north_m: float, day: str, offence: str, precinct: int) -> str:
    lon = -74.0 + east_m / METRES_PER_DEGREE[0]
    lat = 40.7 + north_m / METRES_PER_DEGREE[1]
    return f"{day} 01:00:00 PM,Monday,{offence},A,{precinct},{lat:.7f},{lon:.7f}"


@pytest.fixture
def rows(tmp_path: Path) -> pl.DataFrame:
    lines = (
        at(0, 0, "01/05/2014", "ROBBERY", 75),
        at(499, 10, "01/05/2014", "BURGLARY", 40),
        at(400, 400, "01/06/2014", "ROBBERY", 40),
        at(510, 10, "02/01/2014", "GRAND LARCENY", 13),
        at(1600, 1600, "06/01/2015", "ROBBERY", 120),
    )
    write_file(tmp_path / "f.csv", HEADER, *lines)
    return read_incidents(tmp_path, FELONIES)


def test_cells_are_the_active_squares_with_their_commonest_precinct(rows: pl.DataFrame):
    inputs = city_inputs(
        {FELONIES: rows}, target_series(FELONIES, ("robbery",)), cell_size_m=500,
        active_before=date(2015, 1, 1),
    )  # fmt: skip
    cells = inputs.grid.cells
    assert cells.select("col", "row", "precinct", "borough").rows() == [
        (0, 0, 40, "BRONX"),
        (1, 0, 13, "MANHATTAN"),
    ]
    assert inputs.incidents["cell_id"].to_list() == [0, 0, 0, 1, None]
    counts = target_counts(inputs, ["2014-01-05", "2014-01-06"])
    assert counts.tolist() == [[1, 0], [1, 0]]
    assert [s.name for s in inputs.series] == ["incidents", "burglary", "grand_larceny", "robbery"]


def test_a_folder_without_the_file_is_told(tmp_path: Path):
    with pytest.raises(SourceError, match="holds no file of felonies"):
        read_incidents(tmp_path, FELONIES)


@pytest.mark.real_data
@needs_data
@pytest.mark.parametrize("size", [500, 1000])
def test_the_historical_mean_scores_what_the_field_says(size: int):
    rows = read_incidents(DATA / "nyc/complaints", FELONIES)
    for series, groups in felonies.GROUPS.items():
        inputs = city_inputs(
            {FELONIES: rows}, target_series(FELONIES, groups), cell_size_m=size,
            active_before=felonies.TEST_START,
        )  # fmt: skip
        assert inputs.grid.n_cells == ACTIVE_CELLS[size]
        days = np.arange(np.datetime64("2014-01-01"), np.datetime64(felonies.TEST_STOP))
        counts = target_counts(inputs, [str(day) for day in days])
        training, test = counts[:638], counts[638:]
        rates = mean_rates(training.sum(axis=0, dtype=np.float64), 638)
        found = point_values(test, np.tile(rates, (len(test), 1)))
        auc, precision, _, pai_5 = DAILY_ANCHORS[size, series][REFERENCE]
        assert abs(found["auc"] - auc) <= AUC_TOLERANCE / 2
        assert found["average_precision"] == pytest.approx(precision, abs=0.004)
        assert found["pai_5pct"] == pytest.approx(pai_5, rel=0.03)


@pytest.mark.real_data
@needs_data
def test_a_plain_density_by_week_scores_what_the_field_says():
    found = weekly_anchors.score_weeks(str(DATA))
    for series, (pai, pei) in WEEKLY_ANCHORS.items():
        # One of the nine is 7% off: the anchors do not state their bandwidth.
        assert found[series]["pai"] == pytest.approx(pai, rel=0.075)
        assert found[series]["pei"] == pytest.approx(pei, rel=0.08)
    assert found["all four"]["incidents_per_week"] == pytest.approx(1830, rel=0.02)
