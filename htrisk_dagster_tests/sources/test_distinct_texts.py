from __future__ import annotations

import polars as pl
import pytest
from htrisk_dagster.sources.distinct_texts import (
    any_code,
    decoded,
    ever,
    once_a_text,
    with_readings,
)
from htrisk_dagster.sources.text_values import day, is_unreadable, number, whole_number

N = 20_000
FEW = pl.Series("A", ["75", " 7 ", None, "x", "1/2/2024", "1,234.0"])
MANY = pl.Series("B", [None if i % 7 == 3 else f"{i}.{i % 3}" for i in range(N)], pl.String)


@pytest.fixture
def rows() -> pl.DataFrame:
    return pl.DataFrame({"A": FEW.gather([i % 6 for i in range(N)]), "B": MANY, "C": range(N)})


def test_readings_are_those_of_each_row(rows: pl.DataFrame):
    readings = (
        whole_number("A").alias("whole"),
        pl.col("C") + 1,
        number("B").alias("number"),
        is_unreadable("A", day("A")).alias("no_day"),
        pl.concat_str("A", "B").alias("both"),
        pl.col("A").fill_null("missing"),
    )
    assert with_readings(rows, *readings).equals(rows.with_columns(readings))
    few = rows.head(10)  # too few to tell apart
    assert with_readings(few, *readings).equals(few.with_columns(readings))


def test_a_coded_column_is_read_like_its_texts(rows: pl.DataFrame):
    """Codes of rows that are gone, and texts that are nowhere read, change nothing."""
    coded = rows.with_columns(pl.col("A").cast(any_code())).filter(pl.col("C") % 6 != 1)
    plain = rows.filter(pl.col("C") % 6 != 1)
    assert decoded(coded).equals(plain)
    assert decoded(coded, "B").schema["A"] == coded.schema["A"]
    readings = (whole_number("A").alias("whole"), pl.col("A").alias("text"), pl.col("C") + 1)
    assert decoded(with_readings(coded, *readings)).equals(plain.with_columns(readings))
    asked = [pl.col("A").is_null(), pl.col("A") == " 7 ", pl.col("A") == "x"]
    assert ever(coded, asked) == ever(plain, asked) == [True, False, True]
    assert ever(coded.drop_nulls("A"), asked) == [False, False, True]

    def shouted(texts: pl.Series) -> pl.Series:
        return texts.str.to_uppercase()

    found = once_a_text(coded["A"], shouted)
    assert isinstance(found.dtype, pl.Categorical)
    assert found.cast(pl.String).equals(shouted(plain["A"]))
    assert once_a_text(coded["A"], lambda texts: texts).equals(coded["A"])


@pytest.mark.parametrize("column", ["A", "B"])
def test_a_text_is_read_once_where_many_repeat(rows: pl.DataFrame, column: str):
    seen: list[int] = []

    def read(texts: pl.Series) -> pl.Series:
        seen.append(len(texts))
        return texts.fill_null("-").str.to_uppercase()

    assert once_a_text(rows[column], read).equals(read(rows[column]))
    assert seen[:-1] == ([6, 6] if column == "A" else [N])
    assert once_a_text(rows[column], lambda texts: texts).equals(rows[column])


def test_whether_a_condition_ever_holds(rows: pl.DataFrame):
    asked = {
        "is missing": (pl.col("A").is_null(), True),
        "no such text": (pl.col("A") == "y", False),
        "no such text among many": (pl.col("B").str.ends_with(".9"), False),
        "one text among many": (pl.col("B") == f"{N - 1}.{(N - 1) % 3}", True),
        "no such number": (pl.col("C") >= N, False),
        "a number": (pl.col("C") == N - 1, True),
        "of two columns": ((pl.col("C") == 1) & pl.col("A").is_null(), False),
        "of both": ((pl.col("C") == 2) & pl.col("A").is_null(), True),
    }
    conditions = [condition for condition, _ in asked.values()]
    assert dict(zip(asked, ever(rows, conditions), strict=True)) == {
        name: holds for name, (_, holds) in asked.items()
    }
    assert ever(rows.clear(), conditions) == [False] * len(conditions)
