"""`htrisk run`, `cases` and `hotspots`: what is made from the sources, by Dagster or beside it."""

from __future__ import annotations

import time
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from htrisk_dagster.cli.application import (
    Area,
    Data,
    Home,
    Origin,
    Target,
    app,
    chosen_workspace,
    sentences,
)
from htrisk_dagster.errors import HtriskError


@app.command()
def run(
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day to map.")],
    end: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day to map.")],
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    target: Target = None,
    profile: Annotated[str | None, typer.Option(help="Training effort: quick or full.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="Synthetic city: tiny, demo, default, skill or metro.")
    ] = None,
    home: Home = None,
    cluster: Annotated[
        str | None, typer.Option(help="Ray cluster, host:port; this machine alone if not given.")
    ] = None,
) -> None:
    """From raw reports to risk maps and the comparison of all models, in Dagster, for a range of days.

    Only what is out of date is made again; an interrupted run goes on where it stopped. With three years
    of months before it, the months of areas are forecast too: seconds a city, minutes with --profile full.
    """
    with sentences():
        _run_range(
            start.date(),
            end.date(),
            area=area,
            data_dir=data,
            origin=origin or ("files" if data else None),
            target=target,
            profile=profile,
            preset=preset,
            home=home,
            cluster_address=cluster,
        )


def _run_range(start: date, end: date, **given: object) -> None:
    from rich.console import Console

    from htrisk_dagster.settings import load_settings

    if end < start:
        raise HtriskError(f"--end {end} lies before --start {start}. Give a later --end.")
    settings = load_settings(**given)
    from htrisk_dagster.defs.workspace import Workspace

    workspace = Workspace(settings)
    study_area = workspace.area(settings.area)
    workspace.require_sources(study_area)
    console = Console(highlight=False, soft_wrap=True)
    from htrisk_dagster.definitions import build_definitions
    from htrisk_dagster.defs.evaluated import report_path
    from htrisk_dagster.defs.forecast import map_path
    from htrisk_dagster.defs.runs import local_runner
    from htrisk_dagster.defs.servers import ui_command

    began = time.monotonic()
    definitions = build_definitions(settings, [study_area.name])
    with local_runner(definitions, workspace, study_area, console.print) as runner:
        count = runner.run_range(
            workspace,
            start,
            end,
            lambda step: console.print(f"{time.monotonic() - began:7.1f} s   {step.title} …"),
            lambda said: console.print(
                f"{time.monotonic() - began:7.1f} s   {said}", style="yellow"
            ),
        )
    seconds = time.monotonic() - began
    console.print(
        f"{seconds:7.1f} s  {'Nothing had changed.' if not count else f'{count} steps done.'}"
    )
    console.print(f"\nRisk map:          {map_path(workspace, study_area, str(end))}")
    report = report_path(workspace, study_area)
    compared = report if report.is_file() else "none yet: no report reaches the days forecast"
    console.print(f"Comparison table:  {compared}")
    console.print(f"Catalog:           {settings.warehouse / 'warehouse.duckdb'}")
    console.print(f"Open the UI:       {ui_command(settings)}")


@app.command()
def cases(
    data: Annotated[Path, typer.Option(help="Folder with a CTDC file.")],
    home: Home = None,
) -> None:
    """Clean a CTDC file, analyse who is harmed and how, and write the tables that may leave."""
    with sentences():
        from htrisk_dagster.definitions import build_definitions
        from htrisk_dagster.defs.case_results import published_folder
        from htrisk_dagster.defs.runs import local_runner
        from htrisk_dagster.defs.workspace import Workspace
        from htrisk_dagster.settings import load_settings

        settings = load_settings(data_dir=data, origin="files", home=home)
        workspace = Workspace(settings)
        area = workspace.area(settings.area)
        with local_runner(build_definitions(settings), workspace, area, typer.echo) as runner:
            runner.materialise_group("ctdc_victim_population")
        typer.echo(f"Tables that may leave: {published_folder(workspace)}")


@app.command()
def hotspots(
    group: Annotated[str | None, typer.Option(help="Offence group; else the target.")] = None,
    start: Annotated[str | None, typer.Option(help="First day of report, 2024-03-31.")] = None,
    end: Annotated[str | None, typer.Option(help="Last day of report, 2024-04-30.")] = None,
    to: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("hotspots"),
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    home: Home = None,
) -> None:
    """Density, clusters and weekly Gi* of a group and period as CSV, from reports on the grid."""
    with sentences():
        from htrisk_dagster.defs.selected import Selection, write_hot_spots

        workspace, chosen = (
            chosen_workspace(data, origin, None, home),
            Selection.of(group, start, end),
        )
        for line in write_hot_spots(workspace, workspace.area(area), chosen, to):
            typer.echo(line)
