"""`htrisk evaluate --suite series`: what forecasts of area series reach on real precincts.

Belongs here: units, targets, the tables in Markdown. Does not: figures (`series_precincts`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from htrisk_dagster.errors import SettingError, SourceError
from htrisk_dagster.evaluation.series_choice import CHAMPION
from htrisk_dagster.evaluation.series_precincts import FILE, REVERTING
from htrisk_dagster.evaluation.skill.markdown import markdown_table, number
from htrisk_dagster.evaluation.skill.tables import judgement_table
from htrisk_dagster.evaluation.skill.targets import Judgement, figures
from htrisk_dagster.evaluation.skill.units_of_work import (
    COST,
    Say,
    Unit,
    make_units,
    read_result,
    read_seconds,
    result_bytes,
)
from htrisk_dagster.warehouse.partitions import write_bytes_whole, write_text_whole

SEED = 20261125
PARTS = ("precincts", "law_categories")
LAW_CATEGORIES = ("FELONY", "MISDEMEANOR", "VIOLATION")
MASE = 0.85
COVERAGE = (0.93, 0.97)
POINTS_OVER_NULL = 0.05
OF_POISSON_FLOOR = 1.15
# In the order of the tables' columns: JSON keeps none.
METRICS = ("mae", "rmse", "mape", "mase", "r_squared", "directional_accuracy")
IID_NULL = 0.75
_FUNCTION = "htrisk_dagster.evaluation.series_precincts:forecast_precincts"


def part_units(part: str, data: Path | None) -> list[Unit]:
    """Units of one part.

    Raises
    ------
    SettingError
        Where there is no such part, or no folder was given.
    SourceError
        Where the file is absent.
    """
    if part not in PARTS:
        raise SettingError(f"There is no part '{part}'. Choose one of {', '.join(PARTS)}.")
    if data is None:
        raise SettingError("The suite 'series' reads a real file. Give its folder by --data.")
    file = data.resolve() / FILE
    if not file.is_file():
        raise SourceError(f"{file} is absent. Give the folder of the real data.")
    given: dict[str, str | int] = {"data": str(data.resolve()), "seed": SEED}
    if part == "precincts":
        return [Unit(part, "all_complaints", _FUNCTION, given, (file,))]
    return [
        Unit(
            part,
            category.lower(),
            _FUNCTION,
            {**given, "law_category": category, "with_slow": False},
            (file,),
        )
        for category in LAW_CATEGORIES
    ]


def run_suite(
    data: Path | None,
    out: Path,
    *,
    parts: Sequence[str] = PARTS,
    n_seeds: int = 1,
    jobs: int = 2,
    say: Say = print,
) -> Path:
    """Make what is missing or stale, then write `series.md` and `series.json`; return the former.

    `n_seeds` is of no use here: the truth is one city.
    """
    units = [unit for part in parts for unit in part_units(part, data)]
    make_units(units, out, jobs=jobs, say=say)
    results = {unit.name: read_result(unit, out) for unit in units}
    judgements = [j for name, result in results.items() for j in judge(name, result)]
    reached = sum(j.is_reached for j in judgements)
    text = "\n\n".join(
        [
            "# How good the forecasts of area series are",
            f"{reached} of {len(judgements)} figures reach their target. All are of *reported* "
            "incidents in New York's 78 precincts by month; what was chosen was chosen before 2023, "
            "and 2023 and 2024 are blind.",
            judgement_table(judgements),
            *(result_text(name, result) for name, result in results.items()),
            "## Cost",
            _cost(units, out),
        ]
    )
    content = {"judgements": [asdict(j) for j in judgements], "results": results}
    write_bytes_whole(out / "series.json", result_bytes(content))
    return write_text_whole(out / "series.md", text + "\n")


def judge(name: str, result: Mapping[str, Any]) -> Iterator[Judgement]:
    """Judge every figure that has a target; both nulls of the direction, whichever is the harder."""

    def month(model: str, metric: str, of: str = "value") -> float:
        return figures(result, "month_ahead", "models", model, metric, of)

    def row(figure: str, value: str, target: str, is_reached: bool) -> Judgement:
        return Judgement(name, figure, value, target, bool(is_reached))

    ahead = month(CHAMPION, "mase")
    low, high = result["month_ahead"]["mase_95"]
    yield row(
        "MASE, one month ahead", f"{ahead:.3f} [{low:.3f}, {high:.3f}]", f"< {MASE:g}", ahead < MASE
    )
    for which, words in (
        ("years", "one year ahead from December"),
        ("all", "1 to 12 months ahead"),
    ):
        value = figures(result, "year_ahead", CHAMPION, which)
        yield row(f"MASE, {words}", f"{value:.3f}", f"< {MASE:g}", value < MASE)
    for which, words in (
        ("month_ahead", "one month ahead"), ("years", "one year ahead from December"),
        ("all", "1 to 12 months ahead"),
    ):  # fmt: skip
        value = figures(result, "bands", which)
        yield row(
            f"coverage of the 95% band, {words}", f"{value:.3f}",
            f"{COVERAGE[0]:g} to {COVERAGE[1]:g}", COVERAGE[0] <= value <= COVERAGE[1],
        )  # fmt: skip
    own = month(CHAMPION, "directional_accuracy")
    for null, words in (
        (month(REVERTING, "directional_accuracy"), "reverting to the mean of the last year"),
        (IID_NULL, "independent noise"),
    ):
        yield row(
            f"directional accuracy less that of {words}",
            f"{own:.3f} - {null:.3f} = {100 * (own - null):+.1f} points",
            f"{100 * POINTS_OVER_NULL:+g} points or more", own - null >= POINTS_OVER_NULL,
        )  # fmt: skip
    value, floor = month(CHAMPION, "mape"), month(CHAMPION, "mape", "noise")
    if math.isfinite(value):
        yield row(
            "MAPE over its Poisson floor, areas above 100 a month",
            f"{100 * value:.2f}% / {100 * floor:.2f}% = {value / floor:.2f}",
            f"≤ {OF_POISSON_FLOOR:g}", value <= OF_POISSON_FLOOR * floor,
        )  # fmt: skip


def result_text(name: str, result: Mapping[str, Any]) -> str:
    """Heading, tables and notes of one unit."""
    models: Mapping[str, Mapping[str, Any]] = result["month_ahead"]["models"]
    errors = markdown_table(
        ("model", "MAE", "RMSE", "MAPE, %", "MASE", "R² within areas", "directional accuracy",
         "MASE, one year ahead"),
        (
            (
                model, *(_printed(models[model], metric) for metric in METRICS),
                number(figures(result, "year_ahead", model, "years")),
            )
            for model in sorted(models, key=lambda m: models[m]["mase"]["value"])
        ),
    )  # fmt: skip
    of = models[CHAMPION]
    beside = markdown_table(
        ("of the champion", "MAE", "RMSE", "MAPE, %", "MASE", "R² within areas",
         "directional accuracy"),
        (
            (words, *(_printed(of, metric, which) for metric in METRICS))
            for words, which in (
                ("value", "value"), ("Poisson noise alone", "noise"), ("seasonal naive", "naive"),
            )
        ),
    )  # fmt: skip
    behind, year = result["hindsight"], result["year_ahead"][CHAMPION]
    floor = of["mape"]["noise"]
    bands = result["bands"]
    widths = bands["width_pct"]
    notes = (
        f"{result['areas']} areas x {result['months']} months, {result['incidents']:,.0f} reported "
        "incidents, "
        f"{result['mean']:.0f} a month and area. {result['reason']}\n\n"
        "The mean of the months before *and after*, which no forecast knows, would have a MAPE of "
        f"{100 * _or_nan(behind['mape']):.2f}%, "
        f"{_or_nan(behind['mape']) / _or_nan(floor):.2f} of the Poisson floor, and call "
        f"{100 * behind['directional_accuracy']:.1f}% of directions: a mark of "
        "what is left to gain, though no bound. Weekly "
        "counts scatter around their neighbours with "
        f"{result['overdispersion']:.2f} times Poisson's variance, which alone puts the floor at "
        f"{100 * _or_nan(floor) * math.sqrt(result['overdispersion']):.2f}%. One year ahead from "
        f"December the MAPE is {100 * _or_nan(year['mape']):.2f}%, "
        f"{_or_nan(year['mape']) / _or_nan(year['mape_floor']):.2f} of its floor. The floor is counting "
        "noise alone and the same however far ahead, so that the target is judged where it asks least, "
        "a month ahead. Weeks that were split leave a month "
        f"{result['split_factor']:.3f} of a count's noise; the floors here are a count's.\n\n"
        f"Bands: half-life {result['half_life']:g} months; coverage by months ahead "
        f"{', '.join(f'{c:.3f}' for c in bands['by_horizon'])}; all {bands['all']:.3f} "
        f"[{bands['all_95'][0]:.3f}, {bands['all_95'][1]:.3f}]; median width "
        f"{widths['month_ahead']:.0f}% of the forecast one month ahead, "
        f"{widths['twelve_ahead']:.0f}% twelve. The one-year bands of earlier years, blind as well, held "
        f"{', '.join(f'{100 * share:.1f}% in {year}' for year, share in bands['years_before'].items())}: a "
        "year is a draw of one shock that all areas share, and bands that allow for shocks hold more than "
        "95% of a quiet year. The whole city's direction: "
        f"{100 * result['month_ahead']['city_directional_accuracy']:.0f}%."
    )
    return f"## {name}\n\n{errors}\n\n{beside}\n\n{notes}"


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _printed(scores: Mapping[str, Any], metric: str, which: str = "value") -> str:
    value = _or_nan(scores[metric][which])
    if metric == "mape":
        return number(100 * value, 2)
    return number(value, 1 if metric in ("mae", "rmse") else 3)


def _cost(units: Sequence[Unit], out: Path) -> str:
    rows = []
    for unit in units:
        seconds = read_seconds(unit, out)
        parts = ", ".join(f"{k} {v:.0f}" for k, v in seconds.items() if k != COST)
        rows.append((unit.part, unit.name, number(seconds[COST], 0), parts))
    return markdown_table(("part", "unit", "CPU s", "of which"), rows)
