from __future__ import annotations

from datetime import date

import polars as pl
from htrisk_dagster.evaluation.verified_overlay import overlay
from htrisk_dagster.schemas.verified import OVERLAY


def test_the_overlay_sums_the_maps_and_takes_cases_as_they_were_released():
    risk = pl.DataFrame(
        {
            "risk_on": [date(2024, 1, 1)] * 2 + [date(2024, 1, 2)] * 2,
            "cell_id": pl.Series([0, 1, 0, 1], dtype=pl.Int32),
            "expected_count": [0.1, 0.2, 0.3, 0.4],
            "risk_prob": [0.1, 0.2, 0.2, 0.3],
        }
    )
    cells = pl.DataFrame({"cell_id": pl.Series([0, 1], dtype=pl.Int32), "borough": ["A", "B"]})
    counts = pl.DataFrame(
        [("(all)", date(2024, 1, 1), 31), ("A", date(2024, 1, 1), None), ("(all)", None, 50),
         ("A", date(2024, 2, 1), 19)],
        schema={"borough": pl.String, "period_on": pl.Date, "cases_count": pl.Int64}, orient="row",
    ).with_columns(months_count=pl.lit(1, pl.Int32))  # fmt: skip
    found = overlay(risk, cells, counts)
    assert OVERLAY.problems(found) == []
    assert [tuple(round(v, 9) if isinstance(v, float) else v for v in row) for row in found.rows()] == [
        ("(all)", date(2024, 1, 1), 1, 2, 31, 1.0, 0.2, 31),
        ("A", date(2024, 1, 1), 1, 2, 31, 0.4, 0.15, None),
        ("A", date(2024, 2, 1), 1, 0, 29, None, None, 19),
        ("B", date(2024, 1, 1), 1, 2, 31, 0.6, 0.25, None),
    ]  # fmt: skip


def test_periods_are_as_long_as_those_of_the_cases():
    """Two days of maps of the first quarter of a leap year, which has 91 days."""
    risk = pl.DataFrame(
        {
            "risk_on": [date(2024, 1, 1), date(2024, 2, 1)],
            "cell_id": pl.Series([0, 0], dtype=pl.Int32),
            "expected_count": [0.1, 0.2],
            "risk_prob": [0.1, 0.2],
        }
    )
    cells = pl.DataFrame({"cell_id": pl.Series([0], dtype=pl.Int32), "borough": ["A"]})
    counts = pl.DataFrame(
        {"borough": ["A"], "period_on": [date(2024, 1, 1)], "cases_count": [31]}
    ).with_columns(months_count=pl.lit(3, pl.Int32))
    found = overlay(risk, cells, counts).filter(borough="A")
    assert found.select("period_on", "months_count", "maps_count", "days_count", "cases_count").rows() == [
        (date(2024, 1, 1), 3, 2, 91, 31)
    ]  # fmt: skip
