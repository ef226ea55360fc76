"""K-means of case records with the user's columns, for the dashboard.

Belongs here: the request, the clusters and what of them may be shown. Does not: coordinates
(`case_encoding`), drawing.

Records that agree in all chosen columns are one point with a weight: K-means with weights is K-means
of the repeated records, and k-anonymised records repeat a lot. Where more than 5,000 differ,
centres come from a random sample of 5,000 records, and every record joins the nearest.

Clusters and points of fewer than 11 records are not returned, nor is the next larger group where what
is hidden would add up to fewer than 11. That protects one answer; a reader who compares answers to
many requests can learn more, so the dashboard that serves them is for those who may see the
records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import SettingError
from htrisk_dagster.victim_population.case_encoding import Encoding, encode
from htrisk_dagster.victim_population.published_tables import K

MOST_CLUSTERS = 20
STARTS = 4
FIT_ROWS = 5_000


@dataclass(frozen=True)
class ClusterRequest:
    """What the user chose.

    Parameters
    ----------
    columns : tuple of str
        Columns to cluster by; records with a missing value in any are left out.
    axes : tuple of three str
        X, Y and Z of the plot, among `columns`.
    n_clusters : int
        2 to 20.
    scale : bool
        Whether one-hot divides numbers by their standard deviation (`case_encoding.encode`).
    encoding : str
        `one_hot` or `gower`.
    seed : int
        Of the starting centres.
    """

    columns: tuple[str, ...]
    axes: tuple[str, str, str]
    n_clusters: int
    scale: bool = True
    encoding: Encoding = "one_hot"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.n_clusters <= MOST_CLUSTERS:
            raise SettingError(
                f"{self.n_clusters} clusters were asked for; ask for 2 to {MOST_CLUSTERS}."
            )
        if len(set(self.columns)) < len(self.columns) or len(set(self.axes)) < len(self.axes):
            raise SettingError("A column is chosen twice; choose each once.")
        if outside := [axis for axis in self.axes if axis not in self.columns]:
            raise SettingError(
                f"The axes {', '.join(outside)} are not among the columns for clustering; add them."
            )


@dataclass(frozen=True)
class ClusterResult:
    """What may be shown. Clusters are numbered from 1, the largest first.

    Parameters
    ----------
    sizes : DataFrame
        `cluster`, `records_count`; clusters that are too small are missing.
    centres : DataFrame
        `cluster`, `column`, `mean` (numbers in their own unit; the share of "yes" for Booleans),
        `label` (the most frequent, for labels) and `label_share`, to two decimals. Shares are
        missing where they would tell of 1 to 10 records.
    points : DataFrame
        The three axes, `cluster` and `records_count`: one row per combination on the axes.
    records_count : int
        Records clustered, to the nearest 10.
    left_out_share : float
        Share of records left out for a missing value, to three decimals.
    note : str
        What is not shown, in a sentence.
    """

    sizes: pl.DataFrame
    centres: pl.DataFrame
    points: pl.DataFrame
    records_count: int
    left_out_share: float
    note: str


def cluster(records: pl.DataFrame, request: ClusterRequest) -> ClusterResult:
    """Cluster records by K-means.

    Parameters
    ----------
    records : DataFrame
        `RECORDS`, or the chosen columns.
    request : ClusterRequest

    Raises
    ------
    SettingError
        Where a column is not in the records, or there are fewer distinct records than clusters.
    """
    cases = _distinct(records, request.columns)
    weights = cases["records_count"].to_numpy()
    points = encode(
        cases.select(request.columns), weights, encoding=request.encoding, scale=request.scale
    )
    labels = _k_means(points, weights, request.n_clusters, request.seed)
    labelled = cases.with_columns(_by_size(labels, weights, request.n_clusters))
    sizes = _without_small(_sum_by(labelled, ["cluster"]), within=[])
    shown = labelled.join(sizes.select("cluster"), on="cluster", how="semi")
    axes = _sum_by(shown, [*request.axes, "cluster"])
    points_shown = _without_small(axes, within=["cluster"])
    clustered = int(weights.sum())
    return ClusterResult(
        sizes=sizes,
        centres=_centres(shown, request.columns),
        points=points_shown,
        records_count=round(clustered, -1),
        left_out_share=round(1 - clustered / records.height, 3),
        note=(
            f"{request.n_clusters - sizes.height} of {request.n_clusters} clusters and "
            f"{axes.height - points_shown.height} of {axes.height} points hold too few records to "
            f"be shown (fewer than {K}, or needed to hide those)."
        ),
    )


def cluster_counts(
    cells: pl.DataFrame,
    columns: Sequence[str],
    *,
    n_clusters: int,
    scale: bool = True,
    seed: int = 0,
) -> pl.Series:
    """Cluster the cells of a published table by K-means, each as heavy as its count.

    Made of what is published already, so that no choice of columns can tell more.

    Parameters
    ----------
    cells : DataFrame
        Labels and `count`, all counts shown; labels that are whole numbers, as years are, count as
        numbers.
    columns : sequence of str
        Columns to cluster by.
    n_clusters : int
    scale : bool
        Whether numbers are divided by their standard deviation.
    seed : int

    Returns
    -------
    Series of int64, named `cluster`
        Cluster of each row, 1 the largest.

    Raises
    ------
    SettingError
        Where no column is chosen, or there are fewer distinct cells than clusters.
    """
    if not columns:
        raise SettingError("No column is chosen to cluster by; choose one at least.")
    weights = cells["count"].to_numpy()
    numbers = cells.select(pl.col(list(columns)).cast(pl.Float64, strict=False))
    labels = cells.select(cells[c] if numbers[c].null_count() else numbers[c] for c in columns)
    distinct = labels.unique().height
    if distinct < n_clusters:
        raise SettingError(
            f"The chosen columns have {distinct} distinct cells, fewer than {n_clusters} clusters; choose "
            "other columns or fewer clusters."
        )
    points = encode(labels, weights, encoding="one_hot", scale=scale)
    return _by_size(_k_means(points, weights, n_clusters, seed), weights, n_clusters)


def silhouette_by_k(
    records: pl.DataFrame,
    request: ClusterRequest,
    *,
    ks: Sequence[int] = range(2, 9),
    sample_size: int = 1_000,
) -> pl.DataFrame:
    """Mean silhouette of a sample of records for several numbers of clusters.

    Clusters are those of all records; the silhouette (Rousseeuw 1987, doi
    10.1016/0377-0427(87)90125-7) is of a sample without replacement that is the same for each k.

    Parameters
    ----------
    records, request
        As in `cluster`; the request's own number of clusters is not used.
    ks : sequence of int
        Numbers of clusters.
    sample_size : int
        Records to draw; all where there are fewer.

    Returns
    -------
    DataFrame
        `n_clusters`, `silhouette` (-1 to 1; missing where the sample fell into one cluster).
    """
    from sklearn.metrics import pairwise_distances, silhouette_score

    cases = _distinct(records, request.columns)
    weights = cases["records_count"].to_numpy()
    points = encode(
        cases.select(request.columns), weights, encoding=request.encoding, scale=request.scale
    )
    sample = _draw(weights, sample_size, request.seed)
    distances = pairwise_distances(points[sample])
    np.fill_diagonal(distances, 0.0)
    scores = []
    for k in ks:
        labels = _k_means(points, weights, k, request.seed)[sample]
        is_defined = 2 <= len(np.unique(labels)) < len(labels)
        score = silhouette_score(distances, labels, metric="precomputed") if is_defined else None
        scores.append({"n_clusters": k, "silhouette": score})
    return pl.DataFrame(scores, schema={"n_clusters": pl.Int64, "silhouette": pl.Float64})


def _distinct(records: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    if unknown := [name for name in columns if name not in records.columns]:
        raise SettingError(f"The records have no column {', '.join(unknown)}; choose others.")
    return (
        records.select(columns)
        .drop_nulls()
        .group_by(columns)
        .agg(pl.len().cast(pl.Int64).alias("records_count"))
        .sort(columns)
    )


def _k_means(
    points: NDArray[np.float64], weights: NDArray[np.int64], n_clusters: int, seed: int
) -> NDArray[np.int32]:
    """Cluster of each point."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if len(points) < n_clusters:
        raise SettingError(
            f"The chosen columns have {len(points)} distinct records without missing values, fewer "
            f"than {n_clusters} clusters; choose other columns or fewer clusters."
        )
    model = KMeans(n_clusters=n_clusters, n_init=STARTS, random_state=seed)
    fit_points, fit_weights = points, weights
    if len(points) > FIT_ROWS:
        rows, fit_weights = np.unique(_draw(weights, FIT_ROWS, seed), return_counts=True)
        fit_points = points[rows]
    # Sums over several threads differ in their last digit, and threads that wait cost more than they do.
    with threadpool_limits(limits=1):
        model.fit(fit_points, sample_weight=fit_weights)
        return np.asarray(model.predict(points))


def _draw(weights: NDArray[np.int64], records_count: int, seed: int) -> NDArray[np.int64]:
    """Rows of records drawn without replacement; a row that stands for many comes up often."""
    total = int(weights.sum())
    drawn = np.random.default_rng(seed).choice(total, size=min(records_count, total), replace=False)
    return np.asarray(np.searchsorted(np.cumsum(weights), drawn, side="right"))


def _by_size(labels: NDArray[np.int32], weights: NDArray[np.int64], n_clusters: int) -> pl.Series:
    """Number clusters from 1 by falling size; equal sizes by their first record."""
    sizes = np.bincount(labels, weights=weights, minlength=n_clusters)
    first = np.array([np.argmax(labels == c) for c in range(n_clusters)])
    rank = np.empty(n_clusters, dtype=np.int64)
    rank[np.lexsort([first, -sizes])] = np.arange(1, n_clusters + 1)
    return pl.Series("cluster", rank[labels])


def _sum_by(cases: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    return cases.group_by(keys).agg(pl.col("records_count").sum()).sort(keys)


def _without_small(groups: pl.DataFrame, *, within: list[str]) -> pl.DataFrame:
    """Leave out groups below K, and the next larger ones until K records are hidden or none."""
    smallest_first = groups.sort("records_count", maintain_order=True)
    count = pl.col("records_count")
    hidden_before = count.cum_sum() - count
    has_small = count.min() < K
    if within:
        hidden_before, has_small = hidden_before.over(within), has_small.over(within)
    is_hidden = (count < K) | (has_small & (hidden_before < K))
    shown = smallest_first.filter(~is_hidden)
    return shown.sort([name for name in groups.columns if name != "records_count"])


def _centres(cases: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    frames = [
        _label_centres(cases, name)
        if cases.schema[name] == pl.String
        else _number_centres(cases, name)
        for name in columns
    ]
    every = {"cluster": pl.Int64, "column": pl.String, "mean": pl.Float64}
    shape = pl.DataFrame(schema={**every, "label": pl.String, "label_share": pl.Float64})
    return pl.concat([shape, *frames], how="diagonal").sort("cluster", maintain_order=True)


def _number_centres(cases: pl.DataFrame, name: str) -> pl.DataFrame:
    """Means of numbers; of Booleans the share of "yes", unless few records have the one or the other."""
    count, value = pl.col("records_count"), pl.col(name).cast(pl.Float64)
    weighted, total = (value * count).sum(), count.sum()
    mean = (weighted / total).round(2)
    if cases.schema[name] == pl.Boolean:
        mean = pl.when(_tells_no_few(weighted, total)).then(mean)
    return cases.group_by("cluster").agg(pl.lit(name).alias("column"), mean.alias("mean"))


def _label_centres(cases: pl.DataFrame, name: str) -> pl.DataFrame:
    """Most frequent labels; their share unless few records have another label."""
    count = pl.col("records_count")
    share = (count.first() / count.sum()).round(2)
    return (
        _sum_by(cases, ["cluster", name])
        .sort("cluster", "records_count", name, descending=[False, True, False])
        .group_by("cluster", maintain_order=True)
        .agg(
            pl.lit(name).alias("column"),
            pl.col(name).first().alias("label"),
            pl.when(_tells_no_few(count.first(), count.sum())).then(share).alias("label_share"),
        )
    )


def _tells_no_few(part: pl.Expr, total: pl.Expr) -> pl.Expr:
    """Whether neither the part nor the rest is 1 to K - 1 records."""
    rest = total - part
    return ((part == 0) | (part >= K)) & ((rest == 0) | (rest >= K))
