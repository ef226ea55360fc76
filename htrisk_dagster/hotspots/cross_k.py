"""Whether incidents lie nearer to places of a kind, such as liquor stores, than chance would have them.

Belongs here: the cross-K function of two point patterns in a rectangle, and its envelope under
toroidal shifts. Does not: the regression by cell, which takes land and borough into account
(`evaluation/place_density`), clusters of one pattern (`density_clusters`).

K12(r) is the mean number of incidents within r of a place, over the density of incidents (Ripley 1977;
Lotwick and Silverman 1982, doi 10.1111/j.2517-6161.1982.tb01221.x). Under the null the two patterns are
independent, each with its own clusters: one of them is shifted by a random step on the torus, which
keeps all but their relation. The rectangle wraps round in the statistic as well, so that edges bias
neither. A city that is not a rectangle must be cut to one that is all land, or shifts move points into
the water.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CrossK:
    """Cross-K at each distance, with its envelope under independence.

    Parameters
    ----------
    radii_m : float64, shape (R,)
    k : float64, shape (R,)
        Square metres; pi r^2 where there is no relation.
    low, high : float64, shape (R,)
        Pointwise 95% envelope of the shifts.
    p_value : float
        Of the largest departure in standard deviations over all distances, two-sided, one for the whole
        curve.
    """

    radii_m: Array
    k: Array
    low: Array
    high: Array
    p_value: float


def cross_k(
    incidents: Array,
    places: Array,
    box: tuple[float, float, float, float],
    radii_m: Array,
    *,
    n_shifts: int = 199,
    seed: int,
) -> CrossK:
    """Cross-K of incidents around places.

    Parameters
    ----------
    incidents, places : float64, shape (n, 2) and (m, 2)
        Metres, inside the box.
    box : tuple of float
        West, south, east, north in metres.
    radii_m : float64, shape (R,)
        Ascending, at most half the shorter side.
    n_shifts : int
        Random shifts.
    seed : int
        Of the shifts.

    Raises
    ------
    ValueError
        Where a pattern is empty, a point lies outside the box, or a radius is too large.
    """
    from scipy.spatial import cKDTree

    corner = np.array(box[:2])
    size = np.array(box[2:]) - corner
    if not len(incidents) or not len(places):
        raise ValueError("Both patterns need at least one point.")
    if radii_m.max() > size.min() / 2:
        raise ValueError(
            f"A radius of {radii_m.max():g} m is over half the box's shorter side, {size.min():g} m."
        )
    points, around = (np.asarray(p, dtype=np.float64) - corner for p in (incidents, places))
    for name, those in (("incident", points), ("place", around)):
        if ((those < 0) | (those > size)).any():
            raise ValueError(f"An {name} lies outside the box; cut the points to it first.")
    tree = cKDTree(points % size, boxsize=size)
    scale = float(size.prod()) / (len(points) * len(around))
    rng = np.random.default_rng(seed)
    steps = np.vstack([np.zeros(2), rng.uniform(size=(n_shifts, 2)) * size])
    curves = np.empty((len(steps), len(radii_m)))
    for number, step in enumerate(steps):
        other = cKDTree((around + step) % size, boxsize=size)
        curves[number] = tree.count_neighbors(other, radii_m) * scale
    mean, sd = curves[1:].mean(axis=0), np.maximum(curves[1:].std(axis=0), 1e-12)
    largest = (np.abs(curves - mean) / sd).max(axis=1)
    low, high = np.quantile(curves[1:], [0.025, 0.975], axis=0)
    p_value = (1 + int((largest[1:] >= largest[0]).sum())) / (n_shifts + 1)
    return CrossK(radii_m, curves[0], low, high, p_value)
