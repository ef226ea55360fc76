"""`htrisk dashboard`: what analysts open, over published snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from htrisk_dagster.cli.application import Area, Data, Home, Origin, app, sentences


@app.command()
def dashboard(
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    home: Home = None,
    snapshot: Annotated[
        Path | None,
        typer.Option(help="Folder of published snapshots; the workspace's own if not given."),
    ] = None,
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
    """Serve the dashboard on loopback. It reads published snapshots and nothing else."""
    with sentences():
        from htrisk_dagster.dashboard.application import create_app
        from htrisk_dagster.dashboard.page import Servers
        from htrisk_dagster.dashboard.web_server import serve
        from htrisk_dagster.defs.servers import require_free
        from htrisk_dagster.settings import load_settings

        settings = load_settings(
            data_dir=data, origin=origin or ("files" if data else None), home=home
        )
        folder = snapshot or settings.published / area
        require_free(port, "--port")
        servers = Servers(dagster, mlflow)
        typer.echo(f"Dashboard: http://127.0.0.1:{port}  ({folder})")
        serve(
            lambda: create_app(folder, servers=servers, hosts=host or ()).server, "127.0.0.1", port
        )
