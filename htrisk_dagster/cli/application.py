"""The application every command hangs on, the options they share, and errors as sentences.

Belongs here: what two commands need. Does not: a command.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htrisk_dagster.errors import sentence_for_user

if TYPE_CHECKING:
    from htrisk_dagster.defs.workspace import Workspace


app = typer.Typer(
    name="htrisk",
    help="Daily, place-based forecasts of where trafficking-related incidents will be reported.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Area = Annotated[
    str, typer.Option(help="Study area; `htrisk area new` makes one of a city's file.")
]
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


def chosen_workspace(
    data: Path | None, origin: str | None, target: str | None, home: Path | None
) -> Workspace:
    """The workspace that the options name; files where a folder of data is given."""
    from htrisk_dagster.defs.workspace import Workspace
    from htrisk_dagster.settings import load_settings

    settings = load_settings(
        data_dir=data,
        origin=origin or ("files" if data else None),
        target=target,
        home=home,
    )
    return Workspace(settings)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn an error that has a sentence for the user into it and exit code 1."""
    try:
        yield
    except Exception as error:
        said = sentence_for_user(error)
        if said is None:
            raise
        typer.echo(f"htrisk: {said}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo("htrisk: interrupted; run the same command again to go on.", err=True)
        sys.exit(130)
