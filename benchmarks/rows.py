"""The rows of the bench by name.

Belongs here: the list, in the order of the table. Does not: what a row does (its module).
"""

from __future__ import annotations

from importlib import import_module

from benchmarks.sides import Row

ROWS = {
    "complaints": "complaints_to_parquet",
    "cells": "points_to_cells",
    "precincts": "points_to_precincts",
    "features": "panel_features",
    "features-wide": "panel_features_wide",
    "features-notebook": "panel_features_notebook",
    "gi-star": "gi_star_days",
    "emerging": "emerging_hot_spots",
    "kde": "kernel_density",
    "hdbscan": "density_clusters",
    "lstm": "lstm_sequences",
    "definitions": "definitions_load",
    "dashboard-steps": "dashboard_steps",
    "one-day": "one_new_day",
    "back-fill": "back_fill",
    "back-fill-years": "back_fill_years",
    "cold-city": "cold_city",
}
# Measured beside the rows, against its own size (`growth`).
GROWTH = "growth"


def row_named(name: str) -> Row:
    """Import the module of a row; it holds the constant ROW."""
    if name not in ROWS:
        raise SystemExit(f"There is no row '{name}'. Choose one of {', '.join((*ROWS, GROWTH))}.")
    row = import_module(f"benchmarks.{ROWS[name]}").ROW
    assert isinstance(row, Row)
    return row
