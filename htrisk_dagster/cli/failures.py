"""`htrisk failed` and `htrisk resume`: what runs have not made, and making exactly that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from htrisk_dagster.defs.failures import Unmade
    from htrisk_dagster.defs.runs import Runner


@app.command()
def failed(
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    target: Target = None,
    home: Home = None,
) -> None:
    """List the partitions that runs have failed to make, each with its error; exit code 1 if any."""
    with sentences(), _found(area, data, origin, target, home) as (_, found):
        for each in found:
            typer.echo(str(each))
        typer.echo(f"{len(found)} to make: htrisk resume." if found else "Nothing has failed.")
        raise typer.Exit(1 if found else 0)


@app.command()
def resume(
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    target: Target = None,
    home: Home = None,
) -> None:
    """Make what `htrisk failed` lists, and nothing else; exit code 1 where something fails again."""
    from htrisk_dagster.errors import HtriskError

    with sentences(), _found(area, data, origin, target, home) as (runner, found):
        again = 0
        for each in found:
            typer.echo(f"{each.title} …")
            try:
                runner.resume(each)
            except HtriskError as error:
                # The others may well be mended: one broken day keeps no other from being made.
                typer.echo(f"htrisk: {error}", err=True)
                again += 1
        typer.echo(f"{len(found) - again} made, {again} failed again.")
        raise typer.Exit(1 if again else 0)


@contextmanager
def _found(
    area: str, data: Path | None, origin: str | None, target: str | None, home: Path | None
) -> Iterator[tuple[Runner, list[Unmade]]]:
    """Give the runner of a study area, and what its history says was not made."""
    from htrisk_dagster.definitions import build_definitions
    from htrisk_dagster.defs.dagster_home import prepare_dagster_home
    from htrisk_dagster.defs.failures import unmade
    from htrisk_dagster.defs.runs import local_runner

    workspace = chosen_workspace(data, origin, target, home)
    prepare_dagster_home(workspace.settings.dagster_home)
    definitions = build_definitions(workspace.settings, [area])
    with local_runner(definitions, workspace.area(area)) as runner:
        yield runner, unmade(definitions, runner.instance, workspace.settings.warehouse)
