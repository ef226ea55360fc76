"""`htrisk scaling`: how much faster more workers are, on synthetic cities of a folder that all see."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from htrisk_dagster.cli.application import app, sentences


@app.command()
def scaling(
    out: Annotated[Path, typer.Option(help="Folder that all machines of the cluster see.")],
    cluster: Annotated[str, typer.Option(help="Ray cluster, host:port, or auto on one of it.")],
    cities: Annotated[int, typer.Option(min=1, help="Synthetic cities at once.")] = 20,
    workers: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Jobs at a time, once a run; 1 and 2 if not given."),
    ] = None,
) -> None:
    """Run many cities at once from rows to maps, with fewer and with more workers, and compare."""
    with sentences():
        from htrisk_dagster.scale.ray_execution import RayExecution
        from htrisk_dagster.scale.scaling import (
            efficiency,
            measure_scaling,
            needs_of,
            write_scaling,
        )

        numbers = workers or [1, 2]
        runs = measure_scaling(
            lambda n: RayExecution(cluster, period_days=366, most_in_flight=n),
            out.absolute(),
            n_cities=cities,
            workers=numbers,
            say=typer.echo,
        )
        for n, share in efficiency(runs).items():
            typer.echo(f"{n} workers: {share:.0%} of the ideal speed-up")
        same = len({run.digest for run in runs}) == 1
        typer.echo(f"Every file the same: {'yes' if same else 'NO'}")
        for what, value in needs_of(runs, 1e10).items():
            typer.echo(f"10^10 cell-days: {value:,.0f} {what.replace('_', ' ')}")
        typer.echo(f"Figures: {write_scaling(out, runs, cities)}")
        raise typer.Exit(0 if same else 1)
