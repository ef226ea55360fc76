"""From results to judgements and tables: fixed results in, known words out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from htrisk_dagster.cli import app
from htrisk_dagster.errors import SettingError, SourceError
from htrisk_dagster.evaluation.skill import suite, targets
from htrisk_dagster.evaluation.skill.suite import PARTS, part_units, write_tables
from htrisk_dagster.evaluation.skill.tables import part_text
from htrisk_dagster.evaluation.skill.targets import judge
from htrisk_dagster.evaluation.skill.units_of_work import Unit, result_bytes
from typer.testing import CliRunner

DEVIANCE = ("poisson_deviance", "information_gain_bits", "auc", "average_precision", "pai_1pct",
            "pai_5pct", "calibration_slope", "expected_over_observed")  # fmt: skip


def city(rate: float, seed: int, champion_auc: float, mean_auc: float) -> dict[str, object]:
    def model(auc: float, information: float) -> dict[str, float]:
        return {
            "auc": 0.5 + auc * 0.36, "auc_efficiency": auc, "of_filtering": auc / 0.95,
            "information_efficiency": information, "information_efficiency_over_mean": 0.3,
            "slope": 1.01, "expected_over_observed": 0.99,
        }  # fmt: skip

    return {
        "rate": rate, "seed": seed, "chosen": "stack", "test_incidents": 600,
        "training_incidents": 1600,
        "models": {
            "historical_mean": model(mean_auc, 0.5),
            "champion": model(champion_auc, 0.8),
            "omniscient ceiling": model(1.0, 1.0),
            "filtering ceiling": model(0.95, 0.9),
        },
        "coverage": {"overall": 0.95, "boroughs": [0.94, 0.96], "deciles": [0.93, 0.95, 0.99]},
    }  # fmt: skip


def real(**more: object) -> dict[str, object]:
    def model(shift: float) -> dict[str, float]:
        values = (0.0752, 0.01, 0.826, 0.074, 7.3, 5.3, 1.0, 1.0)
        found = dict(zip(DEVIANCE, values, strict=True))
        return {**found, "poisson_deviance": found["poisson_deviance"] - shift}

    less = {"difference": -3e-4, "lower_95": -5e-4, "upper_95": -1e-4}
    return {
        "cells": 2785, "days": 92, "incidents": 4500, "chosen": "stack", "reason": "It won.",
        "models": {"historical_mean": model(0), "kde_ewma": model(1e-4), "champion": model(3e-4)},
        "champion_less": {"historical_mean": less, "kde_ewma": {**less, "upper_95": 2e-4}},
        **more,
    }  # fmt: skip


CITIES = {"a": city(5.0, 0, 0.90, 0.75), "b": city(5.0, 1, 0.88, 0.73)}
FELONIES = {"r": real(series="robbery", cell_size_m=500)}


def verdicts(part: str, results: dict[str, dict[str, object]]) -> dict[str, tuple[str, bool]]:
    return {j.figure: (j.value, j.is_reached) for j in judge(part, results)}


def test_cities_are_judged_on_means_and_on_the_worst_seed():
    found = verdicts("cities", CITIES)
    at = "5 a day, 2 seeds: "
    assert found[at + "champion's AUC efficiency"] == ("0.890", True)
    assert found[at + "of the filtering ceiling"] == ("0.937", False)
    assert found[at + "information efficiency"] == ("0.800", True)
    assert found[at + "historical mean's share of the oracle's AUC skill"] == ("0.740", True)
    below = at + "seeds on which the champion's AUC is below the historical mean's"
    assert found[below] == ("0", True)
    one_worse = {**CITIES, "c": city(5.0, 2, 0.70, 0.74)}
    assert verdicts("cities", one_worse)[below.replace("2 seeds", "3 seeds")] == ("1", False)
    groups = at + "coverage in every borough and risk decile"
    assert found[groups] == ("0.930 to 0.990", False)


def test_felonies_are_judged_against_the_anchors_and_both_rivals():
    found = verdicts("felonies", FELONIES)
    assert found["500 m, robbery: active cells"] == ("2,785", True)
    assert found["500 m, robbery: AUC of historical_mean"] == ("0.8260", True)
    rival = "500 m, robbery: champion's (stack) deviance less that of {}, per 1,000"
    assert found[rival.format("historical_mean")] == ("-0.300 [-0.500, -0.100]", True)
    assert found[rival.format("kde_ewma")] == ("-0.300 [-0.500, 0.200]", False)
    off = {"r": real(series="burglary", cell_size_m=500)}
    assert verdicts("felonies", off)["500 m, burglary: AUC of historical_mean"][1] is False


def test_a_figure_that_is_absent_is_never_reached():
    without = real(series="robbery", cell_size_m=500)
    del without["models"]["kde_ewma"], without["champion_less"]["kde_ewma"]
    found = verdicts("felonies", {"r": without})
    assert found["500 m, robbery: AUC of kde_ewma"] == ("nan", False)
    rival = "500 m, robbery: champion's (stack) deviance less that of kde_ewma, per 1,000"
    assert found[rival] == ("nan [nan, nan]", False)


def test_shootings_say_in_words_whether_the_champion_is_better():
    less = {"difference": 1e-4, "lower_95": -1e-4, "upper_95": 3e-4}
    better = {**less, "difference": -5e-4, "lower_95": -6e-4, "upper_95": -4e-4}
    result = real(champion_less={"historical_mean": better, "empirical_bayes": less})
    text = part_text("shootings", {"s": result})
    assert "champion, stack, is surely better than historical_mean: deviance per 1,000" in text
    assert "is within noise of empirical_bayes" in text
    result["chosen"] = "empirical_bayes"
    assert "the champion falls back to it." in part_text("shootings", {"s": result})


def test_tables_are_written_from_the_folder_and_twice_the_same(tmp_path: Path):
    by_part = {}
    for part, results in (("cities", CITIES), ("felonies", FELONIES)):
        units = [Unit(part, name, "nowhere:none") for name in results]
        for unit, result in zip(units, results.values(), strict=True):
            unit.result_path(tmp_path).parent.mkdir(exist_ok=True)
            unit.result_path(tmp_path).write_bytes(result_bytes({"result": result}))
            unit.seconds_path(tmp_path).write_text('{"cpu_seconds": 40.0, "lstm": 12.5}')
        by_part[part] = units
    text = write_tables(by_part, tmp_path).read_text()
    assert write_tables(by_part, tmp_path).read_text() == text
    lines = text.splitlines()
    assert (
        "| cities | 5 a day, 2 seeds: of the filtering ceiling | 0.937 | ≥ 0.97 | **no** |" in lines
    )
    # Mean over two seeds, their standard deviation, and the worst.
    (champion,) = (line for line in lines if line.startswith("| champion | 0.890"))
    assert champion.split(" | ")[1] == "0.890 ± 0.014 (0.880)"
    assert "| cities | lstm | 2 | 12.5 | 25 |" in lines
    reached = sum("| yes |" in line for line in lines)
    assert f"{reached} of {reached + text.count('**no**')} figures reach their target." in text
    judged = json.loads((tmp_path / "skill.json").read_bytes())["judgements"]
    assert len(judged) == sum("| yes |" in line or "| **no** |" in line for line in lines)


def test_units_are_sixty_cities_and_their_names_differ():
    units = part_units("cities", None)
    assert len({unit.name for unit in units}) == len(units) == 60
    assert [unit.arguments["rate"] for unit in units[:3]] == [50.0, 5.0, 0.5]
    assert set(targets.JUDGES) == set(PARTS)


def test_a_part_that_is_none_and_a_file_that_is_absent(tmp_path: Path):
    with pytest.raises(SettingError, match="There is no part 'poems'"):
        part_units("poems", tmp_path)
    with pytest.raises(
        SourceError, match=r"Part 'portland' reads .*crimes_bur\.csv, which is absent"
    ):
        part_units("portland", tmp_path)
    with pytest.raises(SettingError, match="Part 'felonies' reads real files"):
        part_units("felonies", None)


def test_the_command_makes_a_part_and_prints_its_table(tmp_path: Path, monkeypatch):
    def unit(data: Path, n_seeds: int) -> list[Unit]:
        function = "htrisk_dagster_tests.evaluation.skill.small_units:constant_one"
        return [Unit("tensors", "robbery", function, {"category": "robbery"})]

    monkeypatch.setitem(suite._UNITS, "tensors", unit)
    out = tmp_path / "out"
    command = [
        "evaluate",
        "--data",
        str(tmp_path),
        "--part",
        "tensors",
        "--jobs",
        "1",
        "--out",
        str(out),
    ]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "0 of 1 units are up to date; 1 to make." in result.stdout
    assert "masked MAE and MAPE of the constant 1 | 0.6732 / 0.2314" in result.stdout
    assert "0 to make" in CliRunner().invoke(app, command).stdout
    wrong = CliRunner().invoke(app, ["evaluate", "--suite", "poems", "--out", str(out)])
    assert wrong.exit_code == 1
    assert "There is no suite 'poems'" in wrong.stderr
    assert "The constant 1 beats the published model" in (out / "skill.md").read_text()
