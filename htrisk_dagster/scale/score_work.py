"""Forecasts, risk, maps and evaluation sums of a period, from its features and the models of a month.

Belongs here: two kinds of work, `forecast_days` and `score_days`, on all cells of a city. Does not: how
anything is forecast (`models`, `evaluation/ensemble`) or drawn (`publishing`).

A period is not cut into tiles: ranks and bands compare all cells of a day, and kernels, the stack and what
a city's last weeks say reach over all of it. A day of 45,000 cells and 90 features is 16 MB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.count_scores import deviance_terms
from htrisk_dagster.evaluation.ensemble import CHAMPION, ChampionForecast
from htrisk_dagster.evaluation.pairs import cells_in_budget, top_cells
from htrisk_dagster.evaluation.stacking import STACK, Stack
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.store import features_table
from htrisk_dagster.models.count_model import MODEL_NAMES, load_model
from htrisk_dagster.publishing.map_words import DRAFT, MapHeader
from htrisk_dagster.publishing.risk_bands import BAND_SHARES
from htrisk_dagster.publishing.risk_map import render_risk_map
from htrisk_dagster.publishing.risk_table import risk_table
from htrisk_dagster.scale.feature_work import read_days
from htrisk_dagster.scale.fixed_point import fixed_sum
from htrisk_dagster.scale.unit import Unit, UnitReport
from htrisk_dagster.scale.unit_inputs import input_prefixes, read_counts, tables_at
from htrisk_dagster.schemas import grid, predictions, raw
from htrisk_dagster.warehouse.model_files import ModelFiles
from htrisk_dagster.warehouse.partitions import Partitions, cut_evenly, write_text_whole

Expected = Mapping[str, NDArray[np.float64]]

# Rows that are checked and cut into days together: some 30 MB.
_ROWS_AT_ONCE = 1 << 19


def forecast_days(unit: Unit) -> UnitReport:
    """Forecast a period with every model of its months; write `predictions.model_forecasts` by day."""
    with unit.storage.opened(_prefixes(unit)) as root:
        tables = tables_at(root, unit)
        block = read_days(tables, unit.area, unit.period.days)
        expected = expected_counts(models_at(root, unit), block, unit.settings.models)
        files = write_forecasts(tables, unit, expected)
        return UnitReport(
            tuple(str(f.relative_to(root)) for f in files),
            {"cell_days": block.n_days * block.n_cells},
        )


def score_days(unit: Unit) -> UnitReport:
    """Forecast a period, write risk and map of each day, and add up how it went.

    The forecasts are written before a count of the period is read. Reports that are still to come are not
    counted; see `fixed_point.figures` for what the sums give.
    """
    with unit.storage.opened(_prefixes(unit)) as root:
        tables, models = tables_at(root, unit), models_at(root, unit)
        block = read_days(tables, unit.area, unit.period.days)
        expected = expected_counts(models, block, unit.settings.models)
        files = write_forecasts(tables, unit, expected)
        files += _write_risk(root, unit, tables, models, block, expected[CHAMPION])
        counts = read_counts(tables, unit, block.n_cells)
        return UnitReport(
            tuple(str(f.relative_to(root)) for f in files), evaluation_sums(counts, expected)
        )


def models_at(root: Path, unit: Unit) -> ModelFiles:
    """Models of the unit's target below a root."""
    return ModelFiles(root / "models", unit.area.name, unit.settings.target_name)


def expected_counts(
    models: ModelFiles, block: CellDayBlock, months: Mapping[str, str]
) -> dict[str, NDArray[np.float64]]:
    """Expected counts of every model that has a month, then of stack and champion, each (D, C)."""
    expected = {
        name: load_model(name, models.read(months[name], name)).predict(block)
        for name in MODEL_NAMES
        if name in months
    }
    expected[STACK] = Stack.from_bytes(models.read(months[STACK], STACK)).combine(expected)
    champion = ChampionForecast.from_bytes(models.read(months[CHAMPION], CHAMPION))
    expected[CHAMPION] = champion.expected(expected, block.borough_index)
    return expected


def write_forecasts(tables: Partitions, unit: Unit, expected: Expected) -> list[Path]:
    """Write the forecasts of each day, a row a model and cell; return their files."""
    of_a_day = sum(forecast.shape[1] for forecast in expected.values())
    at_once = max(_ROWS_AT_ONCE // of_a_day, 1)
    files = []
    for start in range(0, len(unit.period.days), at_once):
        days = unit.period.days[start : start + at_once]
        made = {name: forecast[start : start + at_once] for name, forecast in expected.items()}
        rows = _forecast_rows(days, unit.settings.target_name, made)
        by_day = cut_evenly(rows, days)
        files += tables.write_each(predictions.MODEL_FORECASTS, by_day, unit.made_from)
    return files


def _forecast_rows(days: Sequence[str], target: str, expected: Expected) -> pl.DataFrame:
    """Rows of `predictions.model_forecasts`, in order of day, model and cell."""
    by_day = np.stack(list(expected.values()), axis=1)
    n_days, n_models, n_cells = by_day.shape
    model = np.tile(np.repeat(np.arange(n_models), n_cells), n_days)
    frame = pl.DataFrame(
        {
            "risk_on": np.repeat(np.array(days, dtype="datetime64[D]"), n_models * n_cells),
            "cell_id": np.tile(np.arange(n_cells, dtype=np.int32), n_days * n_models),
            "model": pl.Series(list(expected))[model],
            "expected_count": by_day.reshape(-1),
        }
    )
    return predictions.MODEL_FORECASTS.conform(frame.with_columns(target=pl.lit(target)))


def evaluation_sums(counts: NDArray[np.float32], expected: Expected) -> dict[str, int]:
    """Sums by forecast: what was expected, the Poisson deviance, and hits at each area budget."""
    n_cells = counts.shape[1]
    sums = {"cell_days": counts.size, "incidents": int(counts.sum(dtype=np.float64))}
    for name, forecast in expected.items():
        sums[f"expected:{name}"] = fixed_sum(forecast)
        sums[f"deviance:{name}"] = fixed_sum(deviance_terms(counts.astype(np.float64), forecast))
        for share in BAND_SHARES:
            top = top_cells(forecast, cells_in_budget(n_cells, share))
            sums[f"hits:{name}:{share}"] = int(counts[top].sum(dtype=np.float64))
    return sums


def _write_risk(
    root: Path,
    unit: Unit,
    tables: Partitions,
    models: ModelFiles,
    block: CellDayBlock,
    expected: NDArray[np.float64],
) -> list[Path]:
    month = unit.settings.models[CHAMPION]
    card = models.card(month, CHAMPION)
    champion = ChampionForecast.from_bytes(models.read(month, CHAMPION))
    cells = tables.read(grid.CELLS, ["all"])
    boroughs = tables.read(raw.BOROUGHS)
    _, target = unit.area.target(unit.settings.target_name)
    files = []
    for index, day in enumerate(unit.period.days):
        risk = risk_table(
            expected[index : index + 1],
            block.days[index : index + 1],
            intervals=champion.intervals,
            target=unit.settings.target_name,
            model=str(card["champion"]),
            trained_before=date.fromisoformat(str(card["known_before"])),
        )
        path = tables.write_unchecked(
            predictions.CELL_DAY_RISK, risk, day, made_from=unit.made_from.get(day, "")
        )
        header = MapHeader(
            area_title=unit.area.title,
            target_title=target.title,
            risk_on=date.fromisoformat(day),
            model=str(card["champion"]),
            trained_before=date.fromisoformat(str(card["known_before"])),
            data_origin=unit.settings.origin,
            data_digest=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
            status=DRAFT,
            area_codes={place.number: code for code, place in unit.area.areas.items()},
            is_schematic=unit.area.grid.unit == "area",
        )
        page = render_risk_map(risk, cells, boroughs=boroughs, header=header)
        files += [path, write_text_whole(root / "maps" / unit.area.name / f"{day}.html", page)]
    return files


def _prefixes(unit: Unit) -> list[str]:
    nowhere = tables_at(Path(), unit)
    days = (nowhere.path(features_table(unit.area), day) for day in unit.period.days)
    models = models_at(Path(), unit)
    months = {(name, month) for name, month in unit.settings.models.items()}
    return [
        *input_prefixes(unit),
        *(path.as_posix() for path in days),
        *sorted(models.folder(month, name).as_posix() for name, month in months),
    ]
