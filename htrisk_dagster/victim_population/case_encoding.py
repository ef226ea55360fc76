"""Mixed columns as points in space, such that squared distance means something.

Belongs here: one-hot and Gower coordinates. Does not: the clustering (`clusters`).

Numbering labels (label encoding) makes Ukraine closer to the United States than to Albania because of
the alphabet, and K-means then averages countries. Both encodings here put all labels of a column at
one distance from each other:

* **one-hot**: a column per label, times 1/sqrt(2), so that two records with different labels are at
  squared distance 1; numbers in their units, or divided by their standard deviation. Any two labels
  differ by one standard deviation. Choose it to keep numbers in charge, and their outliers.
* **Gower** (1971, doi 10.2307/2528823): the mean over columns of |a - b| / range for numbers and 0 or
  1 for labels. Every column counts the same, whatever its unit. Its root is a Euclidean distance, so
  it has exact coordinates: for a number with sorted values v1 < v2 < ... a step at each gap, as high
  as the root of the gap's share of the range. Steps passed by a and not by b add up to |a - b| /
  range. K-means on them minimises Gower distances within clusters. Banded columns have few values.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

Encoding = Literal["one_hot", "gower"]


def encode(
    cases: pl.DataFrame, weights: NDArray[np.int64], *, encoding: Encoding, scale: bool
) -> NDArray[np.float64]:
    """Coordinates of each row.

    Parameters
    ----------
    cases : DataFrame of N rows
        Numbers, Booleans and labels, without missing values.
    weights : array of shape (N,)
        Records that each row stands for.
    encoding : str
        `one_hot` or `gower`.
    scale : bool
        One-hot only: divide numbers by their standard deviation over records. Gower's distance always
        divides by the range.

    Returns
    -------
    array of shape (N, coordinates)
    """
    blocks = []
    for column in cases.iter_columns():
        if not column.dtype.is_numeric():
            block = _labels(column)
        elif encoding == "gower":
            block = _steps(column)
        else:
            block = _number(column, weights, scale=scale)
        blocks.append(block)
    share = 1.0 / len(blocks) if encoding == "gower" else 1.0
    return np.asarray(np.hstack(blocks) * np.sqrt(share))


def _labels(column: pl.Series) -> NDArray[np.float64]:
    one_hot = column.cast(pl.String).to_dummies()
    ordered = one_hot.select(sorted(one_hot.columns)).cast(pl.Float64)
    return np.asarray(ordered.to_numpy() / np.sqrt(2), dtype=np.float64)


def _number(column: pl.Series, weights: NDArray[np.int64], *, scale: bool) -> NDArray[np.float64]:
    from sklearn.preprocessing import StandardScaler

    values = np.asarray(column.cast(pl.Float64).to_numpy(), dtype=np.float64)[:, None]
    if not scale:
        return values
    return np.asarray(
        StandardScaler().fit_transform(values, sample_weight=weights), dtype=np.float64
    )


def _steps(column: pl.Series) -> NDArray[np.float64]:
    values = column.cast(pl.Float64).to_numpy()
    levels = np.unique(values)
    if len(levels) == 1:
        return np.zeros((len(values), 1))
    heights = np.sqrt(np.diff(levels) / (levels[-1] - levels[0]))
    return np.where(values[:, None] > levels[:-1], heights, 0.0)
