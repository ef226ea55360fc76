"""Where and when an offence was reported, as numbers that a classifier can read.

Belongs here: the context of each offence and its class. Does not: learning the mix
(`models/offence_mix`).

A row is one category of one incident: an incident with two has two, since either was reported there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

CONTEXT = ("agency", "location", "hour", "weekday", "month", "log_residents", "officers_per_1000")
CATEGORICAL = (0, 1)
OTHER = "Other offences"
_MISSING = -1


@dataclass(frozen=True)
class ContextCodes:
    """What stands for what: fixed on the training rows, so that later rows mean the same.

    Parameters
    ----------
    agencies, locations : tuple of str
        Known values; another is coded -1.
    classes : tuple of str
        Categories with enough training rows, and `OTHER` last where any is left.
    residents, officers_per_1000 : mapping of str to float
        By agency; 0 where it has none or none is known.
    """

    agencies: tuple[str, ...]
    locations: tuple[str, ...]
    classes: tuple[str, ...]
    residents: Mapping[str, float]
    officers_per_1000: Mapping[str, float]

    @classmethod
    def of(
        cls, offences: pl.DataFrame, residents: Mapping[str, float],
        officers_per_1000: Mapping[str, float], *, fewest_rows: int = 50,
    ) -> ContextCodes:  # fmt: skip
        """Codes of the training rows; categories with fewer than `fewest_rows` are `OTHER`."""
        sizes = (
            unique_offences(offences).group_by("offence_category").len().sort("offence_category")
        )
        classes = sizes.filter(pl.col("len") >= fewest_rows)["offence_category"].to_list()
        rest = [OTHER] if len(classes) < sizes.height else []
        return cls(
            tuple(sorted(offences["agency_id"].unique(), key=lambda a: (len(a), a))),
            tuple(sorted(offences["location"].drop_nulls().unique())),
            (*classes, *rest), dict(residents), dict(officers_per_1000),
        )  # fmt: skip

    def encode(self, contexts: pl.DataFrame) -> NDArray[np.float64]:
        """Columns of `CONTEXT` for rows with `agency_id`, `location`, `hour`, `weekday` and `month`."""
        agency = pl.col("agency_id")
        columns = (
            _code(agency, self.agencies),
            _code(pl.col("location"), self.locations),
            pl.col("hour").fill_null(_MISSING),
            pl.col("weekday"),
            pl.col("month"),
            _value(agency, self.residents).log1p(),
            _value(agency, self.officers_per_1000),
        )
        named = zip(columns, CONTEXT, strict=True)
        return contexts.select(c.cast(pl.Float64).alias(name) for c, name in named).to_numpy()

    def labels(self, rows: pl.DataFrame) -> NDArray[np.int64]:
        """Class of each row as a number; -1 where it has none, there being no `OTHER`."""
        codes = {name: i for i, name in enumerate(self.classes)}
        default = codes.get(OTHER, _MISSING)
        found = rows["offence_category"].replace_strict(
            codes, default=default, return_dtype=pl.Int64
        )
        return found.to_numpy()


def unique_offences(offences: pl.DataFrame) -> pl.DataFrame:
    """One row a category of an incident with `hour`, `weekday` (0 Monday) and `month`, in order of day.

    Parameters
    ----------
    offences : DataFrame
        `nibrs.reported_offences`.
    """
    when = pl.col("occurred_on")
    return (
        offences.unique(["agency_id", "incident_id", "offence_category"], keep="first", maintain_order=True)
        .sort("occurred_on", "agency_id", "incident_id", "offence_category")
        .select(
            "agency_id", "location", "occurred_on", "offence_category", hour="occurred_hour",
            weekday=when.dt.weekday().cast(pl.Int32) - 1, month=when.dt.month().cast(pl.Int32),
        )
    )  # fmt: skip


def _code(column: pl.Expr, values: Sequence[str]) -> pl.Expr:
    codes = {value: i for i, value in enumerate(values)}
    return column.replace_strict(codes, default=_MISSING, return_dtype=pl.Int64)


def _value(column: pl.Expr, values: Mapping[str, float]) -> pl.Expr:
    return column.replace_strict(dict(values), default=0.0, return_dtype=pl.Float64)
