"""`htrisk fetch`: the publishers' rows into a folder."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from htrisk_dagster.cli.application import Area, app, sentences


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
    with sentences():
        from rich.console import Console

        from htrisk_dagster.defs.workspace import Workspace, secret
        from htrisk_dagster.settings import load_settings
        from htrisk_dagster.sources import feature_services, live

        settings = load_settings(area=area)
        place = Workspace(settings).area(area)
        console = Console(highlight=False, soft_wrap=True)
        for name in table or (place.services if place.incident_file else live.TABLES):
            if place.incident_file:
                folder = feature_services.fetch(
                    place,
                    name,
                    start.date(),
                    end.date(),
                    into=to,
                    token=secret(settings.arcgis_token),
                    say=console.print,
                )
            else:
                folder = live.fetch(
                    name,
                    start.date(),
                    end.date(),
                    into=to,
                    app_token=secret(settings.socrata_app_token),
                    say=console.print,
                    base_url=settings.open_data_url,
                )
            console.print(f"{name}: {folder}")
