"""`htrisk bench`: claims of speed, measured on this machine, from a checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from htrisk_dagster.cli.application import app, sentences
from htrisk_dagster.errors import HtriskError


@app.command()
def bench(
    name: Annotated[
        list[str] | None, typer.Argument(help="Row of the table; all if not given.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of inputs and results.")] = Path(
        ".htrisk/bench"
    ),
) -> None:
    """Measure the package beside the usual ways, in turn, and write a table and a plot."""
    with sentences():
        root = Path(__file__).parents[2]
        if not (root / "benchmarks").is_dir():
            raise HtriskError(
                f"The benchmarks are not in {root}: they come with a checkout, not with the "
                "installed package. Clone the repository and run `make bench`."
            )
        command = [sys.executable, "-m", "benchmarks", *(name or []), "--out", str(out.absolute())]
        # Of our own modules, with names that `benchmarks.rows` checks.
        raise typer.Exit(subprocess.run(command, cwd=root, check=False).returncode)
