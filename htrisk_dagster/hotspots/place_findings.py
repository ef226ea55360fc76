"""What must hold of density, clusters and spikes before they are believed: each rule to a finding.

Belongs here: rules about the tables of `schemas/hot_places.py`. Does not: who runs them
(`defs/hot_place_checks.py`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.hot_places import CLUSTER_METHODS, CLUSTER_QUALITY, PLACE_CLUSTERS

_TOLERANCE = 1e-6


def every_cell_has_a_density(density: pl.DataFrame, n_cells: int) -> Finding:
    """Each cell stands once, with a density above zero."""
    cells = set(density["cell_id"].to_list())
    positive = int((density["density_per_km2"] > 0).sum())
    holds = cells == set(range(n_cells)) and density.height == n_cells == positive
    return Finding(
        holds,
        f"{density.height} rows of {len(cells)} cells, {positive} of them with a density above zero; "
        f"the grid has {n_cells} cells.",
    )


def density_sums_to_incidents(density: pl.DataFrame, incidents_per_year: float) -> Finding:
    """No incident is lost over water: cells add up to what was reported."""
    found = float(density["incidents_per_year"].sum())
    return Finding(
        abs(found - incidents_per_year) <= _TOLERANCE * max(incidents_per_year, 1.0),
        f"The cells hold {found:.3f} incidents a year; {incidents_per_year:.3f} were reported.",
        {"incidents_per_year": found},
    )


def no_cluster_is_small(clusters: pl.DataFrame) -> Finding:
    """Every cluster holds at least eleven incidents and is told by its rounded centre alone."""
    problems = PLACE_CLUSTERS.problems(clusters)
    off = clusters.filter((pl.col("x_m") % 100 != 0) | (pl.col("y_m") % 100 != 0)).height
    if off:
        problems.append(f"{off} centres are not rounded to 100 m.")
    told = f"{clusters.height} clusters, each of at least eleven incidents."
    return Finding(not problems, " ".join(problems) or told)


def quality_stands_with_station_houses(quality: pl.DataFrame) -> Finding:
    """Each method's measures are legal and stand beside one share of station houses."""
    problems = CLUSTER_QUALITY.problems(quality)
    found = sorted(quality["method"].to_list())
    if quality.height and found != sorted(CLUSTER_METHODS):
        problems.append(f"Methods are {found}; {sorted(CLUSTER_METHODS)} are needed.")
    if quality["station_house_pct"].n_unique() > 1:
        problems.append("Methods tell different shares of station houses.")
    if problems:
        return Finding(False, " ".join(problems))
    share = quality["station_house_pct"].max()
    share = share if isinstance(share, float) else 0.0
    return Finding(
        True,
        f"{quality.height} methods; {share:.1f}% of points stood at station houses and were removed.",
        {"station_house_pct": share},
    )


def every_precinct_every_day(spikes: pl.DataFrame, precincts: set[int], n_days: int) -> Finding:
    """Each precinct has one row on each of `n_days` days in a row."""
    days = spikes["reported_on"].unique().sort()
    gaps = days.diff().drop_nulls().dt.total_days()
    found = set(spikes["precinct"].to_list())
    once = not spikes.select("precinct", "reported_on").is_duplicated().any()
    whole = spikes.height == len(precincts) * n_days and len(days) == n_days
    return Finding(
        once and whole and found == precincts and bool((gaps == 1).all()),
        f"{spikes.height} rows of {len(found)} precincts on {len(days)} days; {len(precincts)} precincts "
        f"on {n_days} days in a row are needed.",
    )


def alerts_keep_the_stated_rate(spikes: pl.DataFrame) -> Finding:
    """An alert is what the stated rate, split over the precincts, allows, and nothing else is."""
    limit = pl.col("false_alarm_rate") / pl.col("precinct").n_unique()
    wrong = spikes.filter(pl.col("is_alert") != (pl.col("p_value_prob") <= limit))
    alerts = int(spikes["is_alert"].sum())
    if wrong.height:
        row = wrong.row(0, named=True)
        return Finding(
            False,
            f"Precinct {row['precinct']} on {row['reported_on']}: is_alert is {row['is_alert']} at a "
            f"p-value of {row['p_value_prob']:.2g}, against the stated rate {row['false_alarm_rate']:g}.",
        )
    return Finding(True, f"{alerts} alerts at the stated rate.", {"alerts": float(alerts)})
