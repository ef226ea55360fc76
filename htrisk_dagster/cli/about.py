"""`htrisk doctor` and `dictionary`: what is installed and what the tables hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from htrisk_dagster.cli.application import Area, app, sentences


@app.command()
def doctor(area: Area = "nyc") -> None:
    """Say what is installed, configured and missing."""
    with sentences():
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
    with sentences():
        from htrisk_dagster.schemas import ALL_TABLES
        from htrisk_dagster.schemas.dbt_yaml import dbt_files
        from htrisk_dagster.schemas.table import to_markdown

        if dbt:
            models = Path(__file__).parents[2] / "dbt" / "models"
            for name, text in dbt_files().items():
                (models / name).write_text(text)
                typer.echo(models / name)
        elif features:
            from htrisk_dagster.features.catalogue import catalogue_to_markdown, feature_catalogue
            from htrisk_dagster.settings import load_settings
            from htrisk_dagster.study_areas.area import load_area

            place = load_area(area, load_settings().study_areas)
            names = ("incidents", *place.series)
            typer.echo(catalogue_to_markdown(feature_catalogue(names, place.context)))
        else:
            typer.echo(to_markdown(ALL_TABLES))
