"""From results to judgements and tables; and, on the real files, the cheapest part through the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from htrisk_dagster.cli import app
from htrisk_dagster.errors import SettingError, SourceError
from htrisk_dagster.evaluation.connecticut import findings, suite
from htrisk_dagster_tests.sources.nibrs_deliveries import REAL_NIBRS, needs_real_nibrs
from typer.testing import CliRunner

MIX = {"log_loss": 1.0, "macro_f1": 0.3, "accuracy": 0.6, "calibration_error": 0.01,
       "uncalibrated_log_loss": 1.3, "uncalibrated_macro_f1": 0.35}  # fmt: skip


def volume(ratio: float, coverage: float = 0.95) -> dict[str, object]:
    scores = {
        f"{metric}_{unit}": value for unit in findings.UNITS
        for metric, value in (("wape", 0.8), ("volume_accuracy", 0.2), ("wape_floor", 0.78),
                              ("wape_over_floor", ratio))
    }  # fmt: skip
    scores |= {f"randomised_coverage_95_{u}": coverage for u in ("agency_day", "state_day")}
    return {
        "scores": {**scores, "expected_over_observed": 1.0},
        "agencies": 107,
        "incidents": 14_000,
    }


def mix(best: float) -> dict[str, object]:
    prior = {k: v for k, v in MIX.items() if not k.startswith("un")}
    return {
        "priors": {"classes": ["a", "b"], "rows": 10, "test_rows": 9, "scores": {
            "prior_by_place": prior | {"log_loss": 1.2},
            "prior_by_place_and_kind": prior | {"log_loss": 1.05}}},
        "none": {"scores": MIX | {"log_loss": best}}, "smote": {"scores": MIX | {"log_loss": 1.4}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ratio", "coverage", "reached"), [(1.2, 0.95, 6), (1.3, 0.95, 2), (1.2, 0.9, 4)]
)
def test_volume_is_judged_by_its_floor_and_its_coverage(ratio, coverage, reached):
    results = {findings.ROLLING: volume(ratio, coverage), findings.ONE_ORIGIN: volume(ratio)}
    assert sum(j.is_reached for j in findings.judge("volume", results)) == reached
    assert f"| {ratio:.3f} |" in findings.part_text("volume", results)


@pytest.mark.parametrize(("best", "reached"), [(1.0, 2), (1.1, 1), (1.3, 0)])
def test_the_mix_is_judged_by_both_priors(best, reached):
    found = list(findings.judge("offence_mix", mix(best)))
    assert sum(j.is_reached for j in found) == reached
    assert found[0].figure == "calibrated log loss of lightgbm_none"
    assert "| lightgbm_smote | 1.4000 |" in findings.part_text("offence_mix", mix(best))


def test_what_is_missing_is_a_sentence(tmp_path: Path):
    with pytest.raises(SettingError, match="no part 'rates'"):
        suite.part_units("rates", tmp_path)
    with pytest.raises(SettingError, match="Give their folder by --data"):
        suite.part_units("volume", None)
    with pytest.raises(SourceError, match="holds no NIBRS files"):
        suite.part_units("volume", tmp_path)


@pytest.mark.slow  # a process of its own reads the files: 6 CPU seconds
@pytest.mark.real_data
@needs_real_nibrs
def test_the_command_measures_the_real_force(tmp_path: Path):
    arguments = ["evaluate", "--suite", "connecticut", "--data", str(REAL_NIBRS.parent),
                 "--part", "staffing", "--out", str(tmp_path), "--jobs", "1"]  # fmt: skip
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "connecticut.json").read_bytes())
    assert [j["is_reached"] for j in found["judgements"]] == [True]
    result = found["results"]["staffing"]["officers_and_rates"]
    assert (result["municipalities"], result["agencies"]) == (95, 108)
    assert [row["incidents_count"] for row in result["rates"]] == [13_955, 14_313]
    again = CliRunner().invoke(app, arguments)
    assert "1 of 1 units are up to date" in again.output
