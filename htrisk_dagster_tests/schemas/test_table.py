from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from htrisk_dagster.errors import TableError
from htrisk_dagster.schemas.table import Column, Table, to_markdown

TABLE = Table(
    "toy",
    "visits",
    "one place and day",
    "Visits counted by hand.",
    (
        Column("place", pl.String, "Name of the place.", source_name="PLACE"),
        Column("seen_on", pl.Date, "Day."),
        Column("visits_count", pl.Int32, "Visits.", unit="visits", lower=0),
        Column("share", pl.Float64, "Share.", nullable=True, lower=0, upper=1),
        Column("kind", pl.String, "Kind.", nullable=True, allowed=("shop", "park")),
        Column("shift_m", pl.Float64, "Shift.", unit="m", nullable=True, upper=5),
        Column("weight", pl.Float32, "Weight.", lower=0),
    ),
    key=("place", "seen_on"),
    warnings=("Counted by hand.",),
)


def good() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "place": ["a", "b", "b"],
            "seen_on": [date(2024, 1, 1), date(2024, 1, 1), date(2024, 1, 2)],
            "visits_count": [0, 3, 4],
            "share": [0.0, 1.0, None],
            "kind": ["shop", None, "park"],
            "shift_m": [None, -1e9, 5.0],
            "weight": [0.0, 1e9, 0.5],
        },
        schema_overrides=TABLE.polars_schema(),
    )


def with_value(column: str, value: object) -> pl.DataFrame:
    """A good frame with one value of row 1 replaced."""
    here = pl.int_range(pl.len()) == 1
    changed = good().with_columns(pl.when(here).then(pl.lit(value)).otherwise(column).alias(column))
    return changed.cast({column: TABLE.polars_schema()[column]})


def test_a_good_frame_has_no_problem():
    assert TABLE.problems(good()) == []
    TABLE.validate(good())
    assert TABLE.problems(TABLE.empty()) == []


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (good().drop("share"), "toy.visits: column 'share' is missing."),
        (good().drop("seen_on"), "toy.visits: column 'seen_on' is missing."),  # of the key
        (
            good().with_columns(owner=pl.lit("x")),
            "toy.visits: column 'owner' is not in the dictionary.",
        ),
        (
            good().cast({"visits_count": pl.Int64}),
            "toy.visits: column 'visits_count' has type Int64, expected Int32.",
        ),
        (
            with_value("visits_count", None),
            "toy.visits: column 'visits_count' has 1 missing values, first at row 1.",
        ),
        (
            with_value("kind", "bar"),
            "toy.visits: column 'kind' has 'bar' at row 1, which is none of ('shop', 'park').",
        ),
        (
            with_value("visits_count", -1),
            "toy.visits: column 'visits_count' has -1 at row 1, outside [0, None].",
        ),
        (
            with_value("share", 1.0000001),
            "toy.visits: column 'share' has 1.0000001 at row 1, outside [0, 1].",
        ),
        (
            with_value("share", -0.1),
            "toy.visits: column 'share' has -0.1 at row 1, outside [0, 1].",
        ),
        (
            with_value("share", float("nan")),
            "toy.visits: column 'share' has nan at row 1, outside [0, 1].",
        ),
        (
            with_value("shift_m", float("nan")),
            "toy.visits: column 'shift_m' has nan at row 1, outside [None, 5].",
        ),
        (
            with_value("weight", float("nan")),
            "toy.visits: column 'weight' has nan at row 1, outside [0, None].",
        ),
        (
            with_value("shift_m", 5.1),
            "toy.visits: column 'shift_m' has 5.1 at row 1, outside [None, 5].",
        ),
        (
            with_value("place", "b").with_columns(seen_on=pl.lit(date(2024, 1, 2))),
            "toy.visits: key ('place', 'seen_on') repeats at row 1, "
            "value ('b', datetime.date(2024, 1, 2)).",
        ),
    ],
)
def test_a_broken_rule_is_one_sentence(frame, sentence):
    assert TABLE.problems(frame) == [sentence]
    with pytest.raises(TableError) as error:
        TABLE.validate(frame)
    assert str(error.value) == sentence


def test_all_broken_rules_are_told():
    frame = with_value("share", 7.0).with_columns(kind=pl.lit("bar")).drop("place")
    with pytest.raises(TableError) as error:
        TABLE.validate(frame)
    assert all(
        part in str(error.value) for part in ("'place' is missing", "'share' has 7.0", "'kind' has")
    )


def test_a_table_without_a_key_may_repeat_rows():
    table = Table("toy", "log", "one line", "Lines.", TABLE.columns)
    assert table.problems(pl.concat([good(), good()])) == []


def test_conform_orders_casts_and_drops():
    loose = (
        good()
        .cast({"visits_count": pl.String, "seen_on": pl.Datetime("us")})
        .with_columns(owner=pl.lit("x"))
        .select("weight", "shift_m", "kind", "owner", "share", "visits_count", "seen_on", "place")
    )
    assert TABLE.conform(loose).equals(good())
    assert TABLE.conform(loose).schema == TABLE.polars_schema()


def test_conform_names_what_is_missing_or_cannot_be_cast():
    with pytest.raises(
        TableError, match=r"^toy\.visits: columns \['share', 'kind'\] are missing; found"
    ):
        TABLE.conform(good().drop("share", "kind"))
    with pytest.raises(TableError) as error:
        TABLE.conform(good().with_columns(visits_count=pl.lit("many")))
    assert str(error.value) == (
        "toy.visits: a column cannot be cast to its type: conversion from `str` to `i32` failed in "
        "column 'visits_count' for 1 out of 1 values: [\"many\"]."
    )
    with pytest.raises(TableError, match=r"'share' has 2\.0"):
        TABLE.conform(with_value("share", 2.0))


def test_markdown_shows_every_column_and_warning():
    text = to_markdown([TABLE])
    assert text.startswith(
        "## toy.visits\n\nVisits counted by hand.\n\nOne row: one place and day."
    )
    assert "Key: `place`, `seen_on`." in text
    assert "- Warning: Counted by hand." in text
    assert "| `place` | String |  | no | PLACE | Name of the place. |" in text
    assert "| `shift_m` | Float64 | m | yes |  | Shift. |" in text
    # Blank lines around the table, or Markdown shows it as text.
    assert text.count("\n\n| column |") == 1
