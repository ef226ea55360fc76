"""`htrisk dashboard`: what analysts open, over published snapshots."""

from __future__ import annotations

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


@app.command()
def dashboard(
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    target: Target = None,
    home: Home = None,
    snapshot: Annotated[
        Path | None,
        typer.Option(help="Folder of published snapshots; the workspace's own if not given."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            help="Log of releases that says what is out; the workspace's own if not given."
        ),
    ] = None,
    drafts: Annotated[
        bool,
        typer.Option("--drafts", help="Show maps that are not published too, marked as drafts."),
    ] = False,
    port: Annotated[int, typer.Option(help="Port.")] = 8050,
    host: Annotated[
        list[str] | None,
        typer.Option(help="Name besides loopback under which a reverse proxy asks; may repeat."),
    ] = None,
    dagster: Annotated[
        str | None, typer.Option(help="Address of Dagster, for links into the lineage.")
    ] = None,
    mlflow: Annotated[str | None, typer.Option(help="Address of MLflow, for links.")] = None,
) -> None:
    """Serve the dashboard on loopback: of the newest snapshot the maps that are published, no others."""
    with sentences():
        from htrisk_dagster.dashboard.application import create_app
        from htrisk_dagster.dashboard.page import Servers
        from htrisk_dagster.dashboard.release_book import ReleaseBook
        from htrisk_dagster.dashboard.review_page import ReviewPage
        from htrisk_dagster.dashboard.web_server import serve
        from htrisk_dagster.defs.released import log_path
        from htrisk_dagster.defs.review_desk import open_desk
        from htrisk_dagster.defs.servers import require_free

        workspace = chosen_workspace(data, origin, target, home)
        settings = workspace.settings
        header = settings.identity_header
        desk = open_desk(workspace, workspace.area(area)) if header else None
        folder = snapshot or settings.published / area
        require_free(port, "--port")
        read = log or log_path(settings, area)
        shown = "drafts too" if drafts else "published maps alone"
        typer.echo(f"Dashboard: http://127.0.0.1:{port}  ({shown}; {folder})")
        if desk:
            typer.echo(f"Review page: /review, for whom {header} names; signed by {desk.service}.")

        def make() -> object:
            return create_app(
                folder,
                book=ReleaseBook(read, settings.reviewers_file),
                with_drafts=drafts,
                review=ReviewPage(desk, header) if desk and header else None,
                servers=Servers(dagster, mlflow),
                hosts=host or (),
            ).server

        serve(make, "127.0.0.1", port)
