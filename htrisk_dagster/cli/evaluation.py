"""`htrisk evaluate`: how good the forecasts are, on worlds that are known and on real files."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from htrisk_dagster.cli.application import app, sentences
from htrisk_dagster.errors import HtriskError

# Each module has PARTS and `run_suite`, and is imported when it is asked for.
SUITES = {
    "skill": "htrisk_dagster.evaluation.skill.suite",
    "connecticut": "htrisk_dagster.evaluation.connecticut.suite",
    "series": "htrisk_dagster.evaluation.series_suite",
}


@app.command()
def evaluate(
    out: Annotated[Path, typer.Option(help="Folder of results and tables; a second call goes on.")],
    suite: Annotated[str, typer.Option(help=f"What is evaluated: {', '.join(SUITES)}.")] = "skill",
    data: Annotated[
        Path | None, typer.Option(help="Folder of the real data; the cities need none.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Synthetic cities at each rate.")] = 20,
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="skill: portland, tensors, felonies, shootings, cities; connecticut: volume, mix, "
            "officers; series: precincts, law_categories; all if not given."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at a time.")] = 2,
) -> None:
    """Forecast known worlds and real files blind, and say which figures reach their targets.

    Only what is missing or was made from other code or files is made again.
    """
    with sentences():
        if suite not in SUITES:
            raise HtriskError(f"There is no suite '{suite}'. Choose {', '.join(SUITES)}.")
        chosen = import_module(SUITES[suite])
        table = chosen.run_suite(
            data, out, parts=part or chosen.PARTS, n_seeds=seeds, jobs=jobs, say=typer.echo
        )
        typer.echo(f"\n{table.read_text().split('## ')[0].strip()}\n\nAll tables: {table}")
