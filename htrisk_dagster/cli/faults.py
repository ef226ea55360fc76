"""`htrisk faults`: what the program does when things go wrong, tried out and counted."""

from __future__ import annotations

import time
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Annotated

import typer

from htrisk_dagster.cli.application import app, sentences
from htrisk_dagster.errors import HtriskError

# Each module has `run_part(out, *, n, say)`, and is imported when it is asked for. One that is long
# takes the bounds too that it names among its arguments: `count`, `seconds`, `seed`.
PARTS = {
    "bad-input": "htrisk_dagster.faults.corrupted_input.bad_input",
    "fuzz": "htrisk_dagster.faults.corrupted_input.fuzzing",
    "environment": "htrisk_dagster.faults.environment",
    "kill": "htrisk_dagster.faults.kill",
    "concurrency": "htrisk_dagster.faults.concurrency",
}


@app.command()
def faults(
    out: Annotated[Path, typer.Option(help="Folder of the results; parts are added to it.")],
    part: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(PARTS)}; all if not given.")
    ] = None,
    n: Annotated[int, typer.Option(min=1, help="How much: rounds of each part.")] = 1,
    count: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many kills, or corruptions of each layout; what `n` rounds have else."
        ),
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Longest time of kills.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the kills' moments.")] = None,
) -> None:
    """Plant faults on purpose and say what came of each; exit code 1 where one was not caught."""
    with sentences():
        chosen = part or list(PARTS)
        unknown = [name for name in chosen if name not in PARTS]
        if unknown:
            raise HtriskError(f"There is no part '{unknown[0]}'. Choose {', '.join(PARTS)}.")
        from htrisk_dagster.faults.report import write_report

        given = {"count": count, "seconds": seconds, "seed": seed}

        out.mkdir(parents=True, exist_ok=True)
        failed = 0
        for name in chosen:
            began = time.monotonic()
            run_part = import_module(PARTS[name]).run_part
            taken = signature(run_part).parameters
            bounds = {k: v for k, v in given.items() if v is not None and k in taken}
            result = run_part(out, n=n, say=typer.echo, **bounds)
            result["seconds"] = round(time.monotonic() - began, 1)
            table = write_report({name: result}, out)
            failed += result["failed"]
            typer.echo(f"{name}: {result['cases']:,} cases, {result['failed']} failed.")
        typer.echo(f"Tables: {table}")
        raise typer.Exit(1 if failed else 0)
