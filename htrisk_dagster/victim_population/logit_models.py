"""Which logit models of case records there are, and the counts that they are fitted to.

Belongs here: the five models, the recipes for unknown values, counts of yes, no and unknown by
victim type. Does not: the fit (`logit`).

Base case is the adult woman. Records are those of women and men whose majority at exploitation
(`majority_status_at_exploit`; not at registration, not at entry) is adult or minor: 5,164 of 47,102
in the 2018 file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import TableError

Recipe = Literal["seed", "known_only"]
Term = tuple[str, ...]
FACTORS = ("male", "minor", "case_management")
VICTIM_TYPES = {(0, 1): "girl", (0, 0): "woman", (1, 1): "boy", (1, 0): "man"}


SEED_FRIEND_ODDS = (
    "The published odds of 215 for adult men recruited by a friend are 215.00 to 1, and those of boys "
    "1 to 381.00: whole numbers to the last digit given, as counts in a model with one coefficient "
    "per victim type are. As few as one record on the rare side sets each of them, so the "
    "coefficients (5.951 and -9.673) are at the edge of separation. The shares of partner, friend and "
    "family among women add up to 99.5%, so those models saw only records that name one of these "
    "relations: shares of named recruiters, not rates among victims."
)
"""Why the report that these models follow has an odds of 215."""


@dataclass(frozen=True)
class LogitModel:
    """An outcome and the terms that explain it.

    Parameters
    ----------
    name : str
        Such as `forced_labour`.
    outcome : str
        Boolean column of the records.
    terms : tuple of tuple of str
        Each term is a product of 0/1 factors (`male`, `minor`, `case_management`); the empty
        product is the intercept.
    note : str
        What a reader of every fit of this model must know; may be empty.
    """

    name: str
    outcome: str
    terms: tuple[Term, ...]
    note: str = ""

    @property
    def term_names(self) -> tuple[str, ...]:
        """Such as `intercept`, `male`, `male_x_minor`; shape (K,)."""
        return tuple("_x_".join(term) or "intercept" for term in self.terms)

    @property
    def uses_source(self) -> bool:
        """Whether the data source is a factor."""
        return any("case_management" in term for term in self.terms)

    def design(self, cells: pl.DataFrame) -> NDArray[np.float64]:
        """Products of the cells' factors, shape (N, K)."""
        ones = np.ones(cells.height)
        factors = {f: cells[f].to_numpy().astype(np.float64) for f in FACTORS if f in cells.columns}
        columns = [np.prod([ones, *(factors[f] for f in term)], axis=0) for term in self.terms]
        return np.column_stack(columns)


SEX_AND_MAJORITY: tuple[Term, ...] = ((), ("male",), ("minor",))
WITH_INTERACTION: tuple[Term, ...] = (*SEX_AND_MAJORITY, ("male", "minor"))
FIVE_MODELS = (
    LogitModel("sexual_exploitation", "is_sexual_exploit", WITH_INTERACTION),
    LogitModel("forced_labour", "is_forced_labour", WITH_INTERACTION),
    # The published tables have no interaction here, and no sex in the family model.
    LogitModel(
        "recruiter_intimate_partner", "recruiter_relation_intimate_partner", SEX_AND_MAJORITY
    ),
    LogitModel("recruiter_friend", "recruiter_relation_friend", WITH_INTERACTION, SEED_FRIEND_ODDS),
    LogitModel("recruiter_family", "recruiter_relation_family", ((), ("minor",))),
)


def count_outcomes(records: pl.DataFrame, outcome: str) -> pl.DataFrame:
    """Count yes, no and unknown by sex, majority at exploitation and data source.

    A recruiter's "no" is known only where the record names some other relation (`recode`).

    Parameters
    ----------
    records : DataFrame
        `RECORDS`, or the columns needed.
    outcome : str
        Boolean column.

    Returns
    -------
    DataFrame
        `male`, `minor`, `case_management` (0, 1; missing where the source is), `yes_count`,
        `no_count`, `unknown_count`; one row per combination that occurs.

    Raises
    ------
    TableError
        Where a column is missing, or no record has sex and majority.
    """
    needed = {"gender", "majority_status_at_exploit", "data_source", outcome}
    if missing := sorted(needed - set(records.columns)):
        raise TableError(f"Records lack {', '.join(missing)}; read them with the recode step.")
    counts = (
        records.filter(
            pl.col("gender").is_in(["female", "male"])
            & pl.col("majority_status_at_exploit").is_in(["adult", "minor"])
        )
        .group_by(
            (pl.col("gender") == "male").cast(pl.Int8).alias("male"),
            (pl.col("majority_status_at_exploit") == "minor").cast(pl.Int8).alias("minor"),
            (pl.col("data_source") == "case_management").cast(pl.Int8).alias("case_management"),
        )
        .agg(
            pl.col(outcome).sum().cast(pl.Int64).alias("yes_count"),
            pl.col(outcome).not_().sum().cast(pl.Int64).alias("no_count"),
            pl.col(outcome).is_null().sum().cast(pl.Int64).alias("unknown_count"),
        )
        .sort("male", "minor", "case_management")
    )
    if counts.is_empty():
        raise TableError(
            "No record has a gender of female or male and a majority status at exploitation; "
            "the logit models need both."
        )
    return counts


def victim_cells(counts: pl.DataFrame, model: LogitModel, recipe: Recipe) -> pl.DataFrame:
    """Yes and no by victim type, and by source where the model uses it.

    Returns
    -------
    DataFrame
        `victim_type`, `male`, `minor`, `case_management` (only where used), `yes_count`, `no_count`;
        four or eight rows, zeros where no record is there. Records of unknown source are left out
        of a model that uses the source.
    """
    by = ["male", "minor", *(["case_management"] if model.uses_source else [])]
    grid = pl.DataFrame({"victim_type": list(VICTIM_TYPES.values())}).with_columns(
        pl.Series("male", [male for male, _ in VICTIM_TYPES], dtype=pl.Int8),
        pl.Series("minor", [minor for _, minor in VICTIM_TYPES], dtype=pl.Int8),
    )
    if model.uses_source:
        sources = pl.DataFrame({"case_management": pl.Series([0, 1], dtype=pl.Int8)})
        grid = grid.join(sources, how="cross", maintain_order="left_right")
    no = pl.col("no_count") + (pl.col("unknown_count") if recipe == "seed" else 0)
    sums = counts.group_by(by).agg(pl.col("yes_count").sum(), no.sum().alias("no_count"))
    return grid.join(sums, on=by, how="left", maintain_order="left").with_columns(
        pl.col("yes_count", "no_count").fill_null(0)
    )
