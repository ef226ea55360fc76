"""The `htrisk` command: run, export, score, cases, hotspots, evaluate, fetch, doctor, dictionary and ui.

Belongs here: arguments, progress on the terminal, exit codes. Does not: work; each command is a
few calls into `defs` or the science, imported when it is asked for.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htrisk_dagster.errors import HtriskError

if TYPE_CHECKING:
    from htrisk_dagster.defs.workspace import Workspace

app = typer.Typer(
    name="htrisk",
    help="Daily, place-based forecasts of where trafficking-related incidents will be reported.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Area = Annotated[str, typer.Option(help="Study area, a file in htrisk_dagster/study_areas.")]
Data = Annotated[
    Path | None,
    typer.Option(help="Folder of publishers' files; the synthetic city if not given."),
]
Origin = Annotated[
    str | None, typer.Option(help="synthetic, files or api; files where --data is given.")
]
Target = Annotated[
    str | None, typer.Option(help="What is forecast; the area's first if not given.")
]
Home = Annotated[Path | None, typer.Option(help="Folder of the workspaces.")]
Month = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        help="Month whose folds these are, its first day; the newest trained if not given.",
    ),
]


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
) -> None:
    """From raw reports to risk maps and the comparison of all models, in Dagster, for a range of days.

    Only what is out of date is made again; an interrupted run goes on where it stopped.
    """
    with _sentences():
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
    prepare_workspace(settings.dagster_home)
    console = Console(highlight=False, soft_wrap=True)
    from htrisk_dagster.definitions import build_definitions
    from htrisk_dagster.defs.evaluated import report_path
    from htrisk_dagster.defs.forecast import map_path
    from htrisk_dagster.defs.runs import local_runner
    from htrisk_dagster.defs.servers import ui_command

    began = time.monotonic()
    with local_runner(build_definitions(settings), study_area) as runner:
        count = runner.run_range(
            workspace,
            start,
            end,
            lambda step: console.print(f"{time.monotonic() - began:7.1f} s   {step.title} …"),
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
    with _sentences():
        from htrisk_dagster.defs.exchanged import export_folds
        from htrisk_dagster.defs.fold_results import newest_trained_month

        workspace = _workspace(data, origin, target, home)
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
    with _sentences():
        from htrisk_dagster.defs.exchanged import score_forecast
        from htrisk_dagster.defs.fold_results import newest_trained_month

        workspace = _workspace(data, origin, target, home)
        study_area = workspace.area(area)
        chosen = f"{month:%Y-%m-%d}" if month else newest_trained_month(workspace, study_area)
        typer.echo(score_forecast(workspace, study_area, chosen, forecast, name))


def _workspace(
    data: Path | None, origin: str | None, target: str | None, home: Path | None
) -> Workspace:
    from htrisk_dagster.defs.workspace import Workspace
    from htrisk_dagster.settings import load_settings

    settings = load_settings(
        data_dir=data,
        origin=origin or ("files" if data else None),
        target=target,
        home=home,
    )
    return Workspace(settings)


@app.command()
def cases(
    data: Annotated[Path, typer.Option(help="Folder with a CTDC file.")],
    home: Home = None,
) -> None:
    """Clean a CTDC file, analyse who is harmed and how, and write the tables that may leave."""
    with _sentences():
        from htrisk_dagster.definitions import build_definitions
        from htrisk_dagster.defs.case_results import published_folder
        from htrisk_dagster.defs.runs import local_runner
        from htrisk_dagster.defs.workspace import Workspace
        from htrisk_dagster.settings import load_settings

        settings = load_settings(data_dir=data, origin="files", home=home)
        prepare_workspace(settings.dagster_home)
        workspace = Workspace(settings)
        with local_runner(build_definitions(settings), workspace.area(settings.area)) as runner:
            runner.materialise_group("ctdc_victim_population")
        typer.echo(f"Tables that may leave: {published_folder(workspace)}")


@app.command()
def evaluate(
    out: Annotated[Path, typer.Option(help="Folder of results and tables; a second call goes on.")],
    suite: Annotated[str, typer.Option(help="What is evaluated: skill.")] = "skill",
    data: Annotated[
        Path | None, typer.Option(help="Folder of the real data; the cities need none.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Synthetic cities at each rate.")] = 20,
    part: Annotated[
        list[str] | None,
        typer.Option(help="portland, tensors, felonies, shootings or cities; all if not given."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at a time.")] = 2,
) -> None:
    """Forecast known worlds and real files blind, and say which figures reach their targets.

    Only what is missing or was made from other code or files is made again.
    """
    with _sentences():
        if suite != "skill":
            raise HtriskError(f"There is no suite '{suite}'. Choose skill.")
        from htrisk_dagster.evaluation.skill.suite import PARTS, run_suite

        table = run_suite(data, out, parts=part or PARTS, n_seeds=seeds, jobs=jobs, say=typer.echo)
        typer.echo(f"\n{table.read_text().split('## ')[0].strip()}\n\nAll tables: {table}")


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
    with _sentences():
        from htrisk_dagster.defs.selected import Selection, write_hot_spots

        workspace, chosen = _workspace(data, origin, None, home), Selection.of(group, start, end)
        for line in write_hot_spots(workspace, workspace.area(area), chosen, to):
            typer.echo(line)


def prepare_workspace(dagster_home: Path) -> None:
    """Make the folder of Dagster's run history, with its `dagster.yaml`, if it is not there."""
    dagster_home.mkdir(parents=True, exist_ok=True)
    wanted = (Path(__file__).parent / "defs" / "dagster.yaml").read_text()
    present = dagster_home / "dagster.yaml"
    if not present.is_file() or present.read_text() != wanted:
        present.write_text(wanted)
    os.environ["DAGSTER_HOME"] = str(dagster_home)


@app.command()
def fetch(
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day.")],
    end: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day.")],
    area: Area = "nyc",
    to: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("data"),
    table: Annotated[
        list[str] | None,
        typer.Option(help="Raw table to fetch; all that have an API if not given."),
    ] = None,
) -> None:
    """Download the publishers' rows by day of report, month by month; resumes where it stopped."""
    with _sentences():
        from rich.console import Console

        from htrisk_dagster.settings import load_settings
        from htrisk_dagster.sources import live

        settings = load_settings(area=area)
        token = settings.socrata_app_token
        console = Console(highlight=False, soft_wrap=True)
        for name in table or live.TABLES:
            folder = live.fetch(
                name,
                start.date(),
                end.date(),
                into=to,
                app_token=token.get_secret_value() if token else None,
                say=console.print,
                base_url=settings.open_data_url,
            )
            console.print(f"{name}: {folder}")


@app.command()
def doctor(area: Area = "nyc") -> None:
    """Say what is installed, configured and missing."""
    with _sentences():
        from htrisk_dagster.defs.doctor import examine

        report = examine(area)
        for line in report.lines:
            typer.echo(line)
        raise typer.Exit(0 if report.is_well else 1)


@app.command()
def dictionary(
    features: Annotated[
        bool, typer.Option("--features", help="Print the features instead.")
    ] = False,
    dbt: Annotated[bool, typer.Option("--dbt", help="Write dbt's YAML instead.")] = False,
    area: Area = "nyc",
) -> None:
    """Print the data dictionary as Markdown."""
    with _sentences():
        from htrisk_dagster.schemas import ALL_TABLES
        from htrisk_dagster.schemas.dbt_yaml import dbt_files
        from htrisk_dagster.schemas.table import to_markdown

        if dbt:
            models = Path(__file__).parents[1] / "dbt" / "models"
            for name, text in dbt_files().items():
                (models / name).write_text(text)
                typer.echo(models / name)
        elif features:
            from htrisk_dagster.features.catalogue import catalogue_to_markdown, feature_catalogue
            from htrisk_dagster.study_areas.area import load_area

            place = load_area(area)
            names = ("incidents", *place.series)
            typer.echo(catalogue_to_markdown(feature_catalogue(names, place.context)))
        else:
            typer.echo(to_markdown(ALL_TABLES))


@app.command()
def ui(
    data: Data = None,
    origin: Origin = None,
    target: Target = None,
    port: Annotated[int, typer.Option(help="Port of Dagster.")] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow.")] = 5000,
) -> None:
    """Start Dagster (webserver and daemon) and MLflow on loopback, and print both addresses."""
    with _sentences():
        from htrisk_dagster.defs.servers import serve
        from htrisk_dagster.settings import load_settings

        settings = load_settings(
            data_dir=data, origin=origin or ("files" if data else None), target=target
        )
        prepare_workspace(settings.dagster_home)
        serve(settings, port, mlflow_port, say=typer.echo)


@contextmanager
def _sentences() -> Iterator[None]:
    """Turn an error written for the user into its sentence and exit code 1."""
    try:
        yield
    except HtriskError as error:
        typer.echo(f"htrisk: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo("htrisk: interrupted; run the same command again to go on.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    app()
