"""Intervals of counts and shares, by statsmodels.

Belongs here: 95% intervals that several tables share. Does not: what is counted.

All take records as independent. Records of one case, office or year are not, so read them as the
least the uncertainty can be.
"""

from __future__ import annotations

import numpy as np
import polars as pl

LEVEL = 0.95


def with_count_interval(frame: pl.DataFrame) -> pl.DataFrame:
    """Add `count_lower` and `count_upper` of `records_count`: Garwood's exact Poisson interval.

    Garwood, F. (1936). Fiducial limits for the Poisson distribution. Biometrika 28.
    """
    from statsmodels.stats.rates import confint_poisson

    counts = frame["records_count"].to_numpy().astype(np.float64)
    lower, upper = confint_poisson(counts, 1.0, method="exact-c", alpha=1 - LEVEL)
    return frame.with_columns(
        pl.Series("count_lower", np.nan_to_num(lower), dtype=pl.Float64),  # 0 where none is counted
        pl.Series("count_upper", upper, dtype=pl.Float64),
    )


def with_share(frame: pl.DataFrame) -> pl.DataFrame:
    """Add `share`, `share_lower` and `share_upper` of `records_count` in `known_count`.

    Wilson's score interval; null where nothing is known. Wilson, E. B. (1927). Probable inference.
    Journal of the American Statistical Association 22.
    """
    from statsmodels.stats.proportion import proportion_confint

    records = frame["records_count"].to_numpy().astype(np.float64)
    known = frame["known_count"].to_numpy().astype(np.float64)
    is_known = known > 0
    of = np.where(is_known, known, 1.0)
    lower, upper = proportion_confint(records, of, alpha=1 - LEVEL, method="wilson")
    # Rounding leaves the ends of 0 and 1 at -1e-18 and 1 + 1e-16.
    columns = {
        "share": records / of,
        "share_lower": np.clip(lower, 0, 1),
        "share_upper": np.clip(upper, 0, 1),
    }
    return frame.with_columns(
        pl.when(pl.Series(is_known)).then(pl.Series(values, dtype=pl.Float64)).alias(name)
        for name, values in columns.items()
    )
