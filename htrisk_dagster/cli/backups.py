"""`htrisk backup` and `restore`: a workspace into one file and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from htrisk_dagster.cli.application import Data, Home, Origin, app, chosen_workspace, sentences


@app.command()
def backup(
    to: Annotated[Path, typer.Option(help="Archive to write, or a folder for it.")],
    data: Data = None,
    origin: Origin = None,
    home: Home = None,
) -> None:
    """Write warehouse, restricted store, Dagster's and MLflow's state into one archive, runs going on.

    It holds the restricted store: only its owner can read it, and it is to be kept as that is.
    """
    with sentences():
        from htrisk_dagster.defs.backups import back_up

        made = back_up(chosen_workspace(data, origin, None, home), to)
        typer.echo(f"{made.path}: {made.files} files.")
        if made.unsettled:
            typer.echo(f"Still growing, kept as they were: {', '.join(made.unsettled)}")


@app.command()
def restore(
    archive: Annotated[Path, typer.Option("--from", help="Archive of `htrisk backup`.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Move a workspace that is there aside.")
    ] = False,
    data: Data = None,
    origin: Origin = None,
    home: Home = None,
) -> None:
    """Check an archive whole and put it in the place of the workspace; end `htrisk ui` before."""
    with sentences():
        from htrisk_dagster.defs.backups import restore as put_back

        workspace = chosen_workspace(data, origin, None, home)
        files, closed = put_back(workspace, archive, replace=replace)
        typer.echo(f"{workspace.settings.workspace}: {files} files restored.")
        if closed:
            typer.echo(f"{closed} runs were under way then and are marked as failed.")
