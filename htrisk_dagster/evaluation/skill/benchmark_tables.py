"""The two public benchmarks in Markdown: the tensors of ST-HSL and the NIJ challenge.

Belongs here: what is printed of them. Does not: the project's own data (`tables`), how a result comes
about (`tensors`, `portland`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from htrisk_dagster.evaluation.skill.markdown import markdown_table, number
from htrisk_dagster.evaluation.skill.targets import PUBLISHED_MASKED, Results, figures

MASK_NOTE = (
    "The masked errors are the benchmark's own: they score only cell-days on which something "
    "happened, which nobody knows beforehand, so a forecast is never charged for what it expects "
    "where nothing does. The constant 1 beats the published model under the mask on 7 of 8 figures; "
    "over all cell-days it is the worst forecast of the table. The mask chooses nothing here. An "
    "expectation of 0 has an infinite deviance."
)


def tensors_text(results: Results) -> str:
    """Heading, tables and the note on the mask."""
    texts = [
        "## The 16 x 16 benchmark tensors of New York",
        "92 test days, all 256 cells. Each 4 x 4 square of cells stands for a precinct. In brackets "
        "ST-HSL's masked errors as its author restated them.",
    ]
    for result in results.values():
        category = str(result["category"])
        models = result["models"]
        mae, mape = PUBLISHED_MASKED[category]
        rows = []
        for name in sorted(models, key=lambda n: _deviance(models[n])):
            found = models[name]
            rows.append(
                (name, *(number(figures(found, m), 4) for m in ("mae", "rmse")),
                 number(_deviance(found), 4),
                 *(number(figures(found, m), 4) for m in ("masked_mae", "masked_mape")))
            )  # fmt: skip
        headings = (
            "model", "MAE", "RMSE", "Poisson deviance", f"masked MAE [{mae}]", f"masked MAPE [{mape}]",
        )  # fmt: skip
        texts += [
            f"### {category}: champion {result['chosen']}",
            f"{100 * result['zero_share']:.1f}% of {result['cell_days']:,} cell-days have no incident.",
            markdown_table(headings, rows),
        ]
    return "\n\n".join([*texts, MASK_NOTE])


def _deviance(model: Mapping[str, Any]) -> float:
    """Deviance, infinite where JSON holds null."""
    value = figures(model, "poisson_deviance")
    return math.inf if math.isnan(value) else value


def portland_text(results: Results) -> str:
    """Heading and the table of the five windows."""
    texts = [
        "## Portland's burglaries under the NIJ rules",
        "Windows from 2017-03-01. Cells, area, bandwidth and half-life were chosen on the year before. "
        "PAI with the 95% interval that the number of hits allows (Garwood 1936); PEI is PAI over "
        "that of the best choice with hindsight.",
    ]
    for result in results.values():
        rows = []
        for window, found in result["windows"].items():
            for model, score in found["models"].items():
                options = ", ".join(
                    f"{score[name]:g} {unit}"
                    for name, unit in (("bandwidth_ft", "ft"), ("half_life_days", "days"))
                    if name in score
                )
                low, high = score["pai_95"]
                rows.append(
                    (window, str(found["incidents"]), model,
                     f"{score['side_ft']:g} ft, {score['area_square_miles']:g} sq mi",
                     options or "–", f"{score['hits']:g}",
                     f"{score['pai']:.1f} [{low:.1f}, {high:.1f}]", number(score["pei"], 3),
                     number(score["choice_pai"], 1))
                )  # fmt: skip
        headings = (
            "window", "incidents", "model", "cells", "bandwidth, half-life", "hits", "PAI", "PEI",
            "PAI of the year before",
        )  # fmt: skip
        texts.append(markdown_table(headings, rows))
    return "\n\n".join(texts)
