"""The suite in Markdown: one table of figures beside their targets, and one for each part.

Belongs here: what is printed of a result. Does not: what must be reached (`targets`), how a result
comes about (the parts).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from htrisk_dagster.evaluation.skill.benchmark_tables import portland_text, tensors_text
from htrisk_dagster.evaluation.skill.markdown import markdown_table, number
from htrisk_dagster.evaluation.skill.targets import (
    ACTIVE_CELLS,
    CHAMPION,
    DAILY_ANCHORS,
    WEEKLY_ANCHORS,
    Judgement,
    Results,
    by_rate,
    figures,
    over_units,
)


def judgement_table(judgements: Iterable[Judgement]) -> str:
    """Every figure that has a target, and whether it is reached."""
    return markdown_table(
        ("part", "figure", "value", "target", "reached"),
        (
            (j.part, j.figure, j.value, j.target, "yes" if j.is_reached else "**no**")
            for j in judgements
        ),
    )


def part_text(part: str, results: Results) -> str:
    """Heading, tables and notes of one part."""
    return _PARTS[part](results)


def cost_table(seconds: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """CPU seconds of each part: mean of a unit and sum, and the mean of each model in a unit."""
    rows = []
    for part, units in seconds.items():
        totals = np.array([unit["cpu_seconds"] for unit in units])
        rows.append((part, "", str(len(units)), number(totals.mean(), 1), number(totals.sum(), 0)))
        for model in dict.fromkeys(name for unit in units for name in unit):
            if model != "cpu_seconds":
                each = np.array([unit.get(model, math.nan) for unit in units])
                mean, total = float(np.nanmean(each)), float(np.nansum(each))
                rows.append((part, model, str(len(units)), number(mean, 1), number(total, 0)))
    return markdown_table(("part", "model", "units", "CPU s a unit", "CPU s in all"), rows)


def _spread(values: np.ndarray[Any, Any], digits: int = 3) -> str:
    """Mean over seeds, standard deviation, and the worst seed."""
    if not np.isfinite(values).any():
        return "–"
    sd = values.std(ddof=1) if len(values) > 1 else 0.0
    return f"{values.mean():.{digits}f} ± {sd:.{digits}f} ({np.nanmin(values):.{digits}f})"


def _cities(results: Results) -> str:
    texts = [
        "## Synthetic cities",
        "Mean over seeds ± standard deviation (worst seed). AUC, information and slope are taken in "
        "expectation over the test counts under the true intensity, so that the luck of one draw "
        "does not part the models; coverage is of the counts. AUC efficiency is (AUC - 1/2) over that "
        "of the omniscient ceiling, or of the filtering ceiling: true parameters, but only what was "
        "reported. Information efficiency is over one constant rate for the whole city, and in the "
        "next column over the historical mean.",
    ]
    for rate, cities in by_rate(results).items():
        texts += [f"### {rate:g} target incidents a day in the full city", _city_table(cities)]
        champions = sorted({str(c["chosen"]) for c in cities})
        shares = [f"{n} {sum(c['chosen'] == n for c in cities)}" for n in champions]
        ceiling = over_units(cities, "models", "omniscient ceiling", "auc").mean()
        filtering = over_units(cities, "models", "filtering ceiling", "auc").mean()
        test, training = (
            over_units(cities, n).mean() for n in ("test_incidents", "training_incidents")
        )
        texts.append(
            f"{len(cities)} seeds, {training:,.0f} incidents to train on and {test:,.0f} to test on, "
            f"on average. AUC of the ceilings: omniscient {ceiling:.3f}, filtering "
            f"{number(filtering)}. Champions: {', '.join(shares)}."
        )
    return "\n\n".join(texts)


def _city_table(cities: Sequence[Mapping[str, Any]]) -> str:
    headings = (
        "model", "AUC efficiency", "of filtering", "information efficiency",
        "over the historical mean", "calibration slope", "expected / observed",
    )  # fmt: skip
    # Champion first, then by information.
    names = sorted(
        cities[0]["models"],
        key=lambda n: (
            n != CHAMPION,
            -over_units(cities, "models", n, "information_efficiency").mean(),
        ),
    )
    rows = []
    for name in names:
        paths = (
            ("auc_efficiency",), ("of_filtering",), ("information_efficiency",),
            ("information_efficiency_over_mean",), ("slope",), ("expected_over_observed",),
        )  # fmt: skip
        cells = [_spread(over_units(cities, "models", name, *path)) for path in paths]
        rows.append((name, *cells))
    return markdown_table(headings, rows)


def _felonies(results: Results) -> str:
    daily = [r for r in results.values() if "cell_size_m" in r]
    daily.sort(key=lambda r: (r["cell_size_m"], r["series"]))
    rows = []
    for result in daily:
        size, series = int(result["cell_size_m"]), str(result["series"])
        for model, anchor in DAILY_ANCHORS[size, series].items():
            names = ("auc", "average_precision", "pai_1pct", "pai_5pct")
            found = [figures(result, "models", model, name) for name in names]
            digits = (3, 3, 1, 1)
            ours, field = (
                " / ".join(number(v, d) for v, d in zip(values, digits, strict=True))
                for values in (found, anchor)
            )
            rows.append(
                (f"{size} m ({result['cells']:,} of {ACTIVE_CELLS[size]:,} cells)", series, model,
                 ours, field)
            )  # fmt: skip
    texts = [
        "## New York's felonies",
        "Anchors of reference/field.md 1.1, every day of 2015-10-01 to 2015-12-31; AUC / average "
        "precision / PAI at 1% / at 5% of area. Active cells, those with a felony in the 638 training "
        "days, on a plane with its origin at the file's least longitude and latitude.",
        markdown_table(("cells", "series", "model", "here", "anchor"), rows),
    ]
    for result in daily:
        texts += [
            f"### {result['series']}, {result['cell_size_m']} m: champion {result['chosen']}",
            str(result["reason"]),
            _model_table(result),
        ]
        if "plug_in" in result:
            texts.append(
                "Plug-in bracket of the AUC ceiling, an estimate: "
                f"{figures(result, 'plug_in', 'auc', 'lower'):.3f} to "
                f"{figures(result, 'plug_in', 'auc', 'upper'):.3f}."
            )
    return "\n\n".join([*texts, *(_weeks(r) for r in results.values() if "cell_size_m" not in r)])


def _model_table(result: Mapping[str, Any]) -> str:
    models = result["models"]
    columns = (
        ("poisson_deviance", 1000, 2), ("information_gain_bits", 1, 4), ("auc", 1, 4),
        ("average_precision", 100, 2), ("pai_1pct", 1, 2), ("pai_5pct", 1, 2),
        ("calibration_slope", 1, 3), ("expected_over_observed", 1, 3),
    )  # fmt: skip
    rows = [
        (name, *(number(factor * figures(models[name], c), d) for c, factor, d in columns))
        for name in sorted(models, key=lambda n: figures(models[n], "poisson_deviance"))
    ]
    headings = (
        "model", "Poisson deviance, per 1,000 cell-days", "information gain, bits", "AUC",
        "average precision, %", "PAI at 1%", "PAI at 5%", "calibration slope",
        "expected / observed",
    )  # fmt: skip
    return markdown_table(headings, rows)


def _weeks(result: Mapping[str, Any]) -> str:
    def joined(values: Sequence[float], digits: int) -> str:
        return " / ".join(number(value, digits) for value in values)

    rows = [
        (series, joined(result[series]["pai"], 1), joined(pai, 1), joined(result[series]["pei"], 3),
         joined(pei, 3))
        for series, (pai, pei) in WEEKLY_ANCHORS.items()
    ]  # fmt: skip
    return "\n\n".join(
        [
            "### By week, 183 m cells, plain density",
            "At 0.17%, 0.5% and 1% of 784 km² of land; mean of 13 weeks.",
            markdown_table(("series", "PAI here", "anchor", "PEI here", "anchor"), rows),
        ]
    )


def _shootings(results: Results) -> str:
    texts = ["## New York's shootings, July to December 2015"]
    for result in results.values():
        texts += [str(result["reason"]), _model_table(result), _fall_back(result)]
    return "\n\n".join(texts)


def _fall_back(result: Mapping[str, Any]) -> str:
    champion = str(result["chosen"])
    lines = []
    for rival, less in result["champion_less"].items():
        if rival == champion:
            lines.append(
                f"No model was surely better than {rival} on the folds: the champion falls back to it."
            )
            continue
        low, high = 1000 * figures(less, "lower_95"), 1000 * figures(less, "upper_95")
        verdict = (
            "is surely better than" if high < 0
            else "is surely worse than" if low > 0 else "is within noise of"
        )  # fmt: skip
        lines.append(
            f"The champion, {champion}, {verdict} {rival}: deviance per 1,000 cell-days differs by "
            f"{1000 * figures(less, 'difference'):.3f} [{low:.3f}, {high:.3f}]."
        )
    return " ".join(lines)


_PARTS = {
    "cities": _cities,
    "felonies": _felonies,
    "shootings": _shootings,
    "tensors": tensors_text,
    "portland": portland_text,
}
