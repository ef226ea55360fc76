"""Five logit models of case records by sex and majority: coefficients, odds, probabilities.

Belongs here: the models, the recipes for unknown values, the counts behind them and the fit. Does
not: separation (`separation`), the data source (`data_source_effect`), survey totals
(`extrapolation`).

Base case is the adult woman. Records are those of women and men whose majority at exploitation
(`majority_status_at_exploit`; not at registration, not at entry) is adult or minor: 5,164 of 47,102
in the 2018 file. With unknown taken for "no" they give (0.712, -4.602, 1.861, 1.678) for sexual
exploitation. A model with as many coefficients as victim types only restates counts: its odds are
yes : no of each type. Standard errors take records as independent draws. Errors clustered by data
source are not offered: they need dozens of clusters (Cameron and Miller 2015, doi
10.3368/jhr.50.2.317), and there are two sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.separation import (
    Separation,
    find_separation,
    separation_sentences,
)

LEVEL = 0.95
Recipe = Literal["seed", "known_only"]
Term = tuple[str, ...]
VICTIM_TYPES = {(0, 1): "girl", (0, 0): "woman", (1, 1): "boy", (1, 0): "man"}
NAMED_RELATIONS = tuple(
    f"recruiter_relation_{relation}"
    for relation in ("intimate_partner", "friend", "family", "other")
)

SEED_FRIEND_ODDS = (
    "The published odds of 215 for adult men recruited by a friend are 215.00 to 1, and those of boys "
    "1 to 381.00: whole numbers to the last digit given, as counts in a model with one coefficient "
    "per victim type are. As few as one record on the rare side sets each of them, so the "
    "coefficients (5.951 and -9.673) are at the edge of separation. The shares of partner, friend and "
    "family among women add up to 99.5%, so that model saw only records that name one of these "
    "relations, and is no rate among victims."
)
"""Why the five-model report that these models follow has an odds of 215."""


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
    """

    name: str
    outcome: str
    terms: tuple[Term, ...]

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
        one = pl.lit(1.0)
        columns = [
            cells.select(
                (one * pl.fold(one, lambda a, b: a * b, [pl.col(f) for f in term])).alias("x")
                if term
                else one.repeat_by(1).explode().alias("x")
            )
            for term in self.terms
        ]
        return np.column_stack([np.resize(c["x"].to_numpy(), cells.height) for c in columns])
