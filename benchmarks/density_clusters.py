"""HDBSCAN of 100,000 points, against the library called by itself: no worse is what is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.points_to_cells import prepare, read_points
from benchmarks.sides import Answer, Row, Side, Target, equal_within

N_POINTS, LEAST = 100_000, 11


def _points(folder: Path):
    import numpy as np
    from pyproj import Transformer

    lon, lat = read_points(folder)
    plane = Transformer.from_crs("EPSG:4326", "EPSG:32618", always_xy=True)
    return np.column_stack(plane.transform(lon[:N_POINTS], lat[:N_POINTS]))


def _ours(folder: Path) -> Callable[[], object]:
    import hdbscan as library  # noqa: F401  imports are not timed on either side
    from htrisk_dagster.hotspots.density_clusters import hdbscan

    points = _points(folder)
    return lambda: hdbscan(points)


def _library(folder: Path) -> Callable[[], object]:
    from hdbscan import HDBSCAN

    points = _points(folder)
    # One job as in ours: the CPU of the library's helper processes would not be counted.
    clusters = HDBSCAN(min_cluster_size=LEAST, core_dist_n_jobs=1)
    return lambda: clusters.fit(points).labels_.astype("int32")


def _answer(labels: object) -> Answer:
    return {"labels": labels}  # type: ignore[dict-item]


ROW = Row(
    work="HDBSCAN of 100,000 points",
    prepare=prepare,
    ours=Side("hotspots.hdbscan", _ours, _answer),
    usual=Side("hdbscan's own call", _library, _answer),
    same=equal_within(0),
    target=Target(ratio=0.9),
)
