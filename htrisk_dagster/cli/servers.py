"""`htrisk ui`: the servers a person opens."""

from __future__ import annotations

from typing import Annotated

import typer

from htrisk_dagster.cli.application import Data, Origin, Target, app, sentences


@app.command()
def ui(
    data: Data = None,
    origin: Origin = None,
    target: Target = None,
    port: Annotated[int, typer.Option(help="Port of Dagster.")] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow.")] = 5000,
    dashboard_port: Annotated[int, typer.Option(help="Port of the dashboard.")] = 8050,
    drafts: Annotated[
        bool, typer.Option("--drafts", help="Let the dashboard show drafts, marked as drafts.")
    ] = False,
) -> None:
    """Start Dagster (webserver and daemon), MLflow and the dashboard on loopback; print addresses."""
    with sentences():
        from htrisk_dagster.defs.recovery import recovered
        from htrisk_dagster.defs.servers import Ports, serve
        from htrisk_dagster.defs.workspace import Workspace
        from htrisk_dagster.settings import load_settings

        settings = load_settings(
            data_dir=data, origin=origin or ("files" if data else None), target=target
        )
        if told := recovered(Workspace(settings)).sentence:
            typer.echo(told)
        ports = Ports(port, mlflow_port, dashboard_port)
        serve(settings, ports, with_drafts=drafts, say=typer.echo)
