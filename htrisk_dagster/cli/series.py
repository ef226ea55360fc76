"""`htrisk series`: months, weeks and days to come of every precinct, beat or town, by Dagster."""

from __future__ import annotations

import time
from datetime import date, datetime
from typing import Annotated

import typer

from htrisk_dagster.cli.application import Area, Data, Home, Origin, app, sentences


@app.command(name="series")
def forecast_series(
    month: Annotated[
        datetime,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Month in which the forecasts are made, its first day: reports up to its seventh are used.",
        ),
    ],
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    profile: Annotated[str | None, typer.Option(help="Training effort: quick or full.")] = None,
    home: Home = None,
) -> None:
    """Forecast the reports of each area by month, week and day, score areas and plan hours of help.

    Only what is out of date is read again; the forecasts of the month are made anew.
    """
    with sentences():
        _forecast(
            month.date().replace(day=1),
            area=area,
            data_dir=data,
            origin=origin or ("files" if data else None),
            profile=profile,
            home=home,
        )


def _forecast(month: date, **given: object) -> None:
    from rich.console import Console

    from htrisk_dagster.settings import load_settings

    settings = load_settings(**given)
    from htrisk_dagster.defs.workspace import Workspace

    workspace = Workspace(settings)
    study_area = workspace.area(settings.area)
    workspace.require_sources(study_area)
    from htrisk_dagster.definitions import build_definitions
    from htrisk_dagster.defs.plan import Plan, Step
    from htrisk_dagster.defs.runs import local_runner
    from htrisk_dagster.defs.series_outlook import told
    from htrisk_dagster.schemas import series

    console, began = Console(highlight=False, soft_wrap=True), time.monotonic()
    assets = tuple(f"{table.layer}/{table.name}" for table in series.TABLES)
    definitions = build_definitions(settings, [study_area.name])

    def run(step: Step) -> None:
        console.print(f"{time.monotonic() - began:7.1f} s   {step.title} …")
        runner.materialise(step)

    with local_runner(definitions, workspace, study_area, console.print) as runner:
        for step in Plan(workspace, study_area, month, month, runner.refused).until_staged():
            run(step)
        run(Step("Forecast the series of areas", assets, (str(month),)))
    for line in told(workspace, study_area, str(month)):
        console.print(line)
    console.print(f"Catalog: {settings.warehouse / 'warehouse.duckdb'}, its schema series")
