"""`htrisk export` and `score`: features out to a notebook, a forecast back in."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from htrisk_dagster.cli.application import (
    Area,
    Data,
    Home,
    Month,
    Origin,
    Target,
    app,
    chosen_workspace,
    sentences,
)


@app.command()
def export(
    to: Annotated[Path, typer.Option(help="File to write: .npz, .parquet or .csv.")],
    month: Month = None,
    start: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day; all if not given.")
    ] = None,
    end: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day; all if not given.")
    ] = None,
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    target: Target = None,
    home: Home = None,
) -> None:
    """Write features, labels, 7-day sequences and folds of a training month, for a notebook.

    Labels are those each fold may train on; the truth of the test days stays here, see `score`.
    """
    with sentences():
        from htrisk_dagster.defs.exchanged import export_folds
        from htrisk_dagster.defs.fold_results import newest_trained_month

        workspace = chosen_workspace(data, origin, target, home)
        study_area = workspace.area(area)
        chosen = f"{month:%Y-%m-%d}" if month else newest_trained_month(workspace, study_area)
        written, digest = export_folds(
            workspace,
            study_area,
            chosen,
            to,
            start=start.date() if start else None,
            end=end.date() if end else None,
        )
        block = written.block
        typer.echo(
            f"{to}: {block.n_days} days, {block.n_cells:,} cells, {len(block.names)} features, "
            f"{len(written.folds)} folds for {written.origin.target}; SHA-256 {digest}"
        )


@app.command()
def score(
    forecast: Annotated[
        Path,
        typer.Option(help="CSV or Parquet: risk_on, cell_id, fold, expected_count."),
    ],
    name: Annotated[str, typer.Option(help="What the forecast is called.")] = "notebook",
    month: Month = None,
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    target: Target = None,
    home: Home = None,
) -> None:
    """Score a forecast made elsewhere on the folds of an export, beside the program's models.

    It is sealed with SHA-256 before the truth is read.
    """
    with sentences():
        from htrisk_dagster.defs.exchanged import score_forecast
        from htrisk_dagster.defs.fold_results import newest_trained_month

        workspace = chosen_workspace(data, origin, target, home)
        study_area = workspace.area(area)
        chosen = f"{month:%Y-%m-%d}" if month else newest_trained_month(workspace, study_area)
        typer.echo(score_forecast(workspace, study_area, chosen, forecast, name))
