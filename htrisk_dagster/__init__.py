"""Forecast, by day and place, where trafficking-related incidents will be reported.

Start with `definitions.py` (what Dagster loads) or with the science, layer by layer:
`schemas`, `study_areas`, `sources`, `warehouse`, `grid`, `features`, `models`, `evaluation`,
`publishing`. Only `definitions.py`, `defs/` and `cli/` know Dagster; only `defs/` knows MLflow.
"""
