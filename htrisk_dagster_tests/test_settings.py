from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [n for n in os.environ if n.upper().startswith("HTRISK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_everything_has_a_default(tmp_path):
    found = load_settings()
    assert (found.area, found.origin, found.target) == ("nyc", "synthetic", None)
    assert found.workspace == tmp_path / ".htrisk" / "synthetic"
    assert found.warehouse == tmp_path / ".htrisk" / "synthetic" / "warehouse"
    assert found.tracking_uri == f"sqlite:///{tmp_path}/.htrisk/synthetic/mlflow/mlflow.db"


def test_each_origin_has_a_workspace_of_its_own(tmp_path):
    places = {
        load_settings(origin=origin, data_dir=tmp_path).workspace
        for origin in ("synthetic", "files", "api")
    }
    assert places == {tmp_path / ".htrisk" / o for o in ("synthetic", "files", "api")}


def test_the_environment_beats_the_file_and_the_argument_both(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text(
        "HTRISK_SEED=1\nHTRISK_TARGET=robbery\nHTRISK_PRESET=tiny\nA=b\n"
    )
    monkeypatch.setenv("HTRISK_SEED", "2")
    monkeypatch.setenv("HTRISK_TARGET", "burglary")
    found = load_settings(target="shootings", preset=None)  # None is: not given
    assert (found.seed, found.target, found.preset) == (2, "shootings", "tiny")


def test_values_are_typed(monkeypatch):
    monkeypatch.setenv("HTRISK_HISTORY_START", "2014-03-01")
    monkeypatch.setenv("HTRISK_SOCRATA_APP_TOKEN", "secret-token")
    monkeypatch.setenv("HTRISK_MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    monkeypatch.setenv("HTRISK_DATA_DIR", "")  # empty is: not set
    monkeypatch.setenv("htrisk_seed", "5")
    found = load_settings()
    assert (found.history_start, found.data_dir, found.seed) == (date(2014, 3, 1), None, 5)
    assert found.tracking_uri == "http://127.0.0.1:5000"
    assert "secret-token" not in repr(found)
    assert found.socrata_app_token.get_secret_value() == "secret-token"


@pytest.mark.parametrize("name", ["HTRISK_ORIGN", "htrisk_orign"])
def test_an_unknown_variable_is_named_with_those_that_are_known(monkeypatch, name):
    monkeypatch.setenv(name, "files")
    with pytest.raises(SettingError) as error:
        load_settings()
    assert f"Unknown setting {name} in the environment. Known settings: HTRISK_ALERT_SINK," in str(
        error.value
    )
    for field in Settings.model_fields:
        assert f"HTRISK_{field.upper()}" in str(error.value)


def test_an_unknown_line_of_the_file_is_named(tmp_path):
    (tmp_path / ".env").write_text("OTHER=1\nHTRISK_SEEED=1\n")
    with pytest.raises(SettingError, match=r"^Unknown setting HTRISK_SEEED in \.env\. Known"):
        load_settings()


def test_an_unknown_argument_is_named():
    with pytest.raises(
        SettingError, match=r"^Unknown setting HTRISK_SEEED in the arguments\. Known"
    ):
        load_settings(seeed=1)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"origin": "file"},
            "Setting 'origin' has value 'file': Input should be 'synthetic', 'files' or 'api'.",
        ),
        (
            {"seed": -1},
            "Setting 'seed' has value -1: Input should be greater than or equal to 0.",
        ),
        (
            {"publication_lag_days": 0},
            "Setting 'publication_lag_days' has value 0: Input should be greater than or equal to 1.",
        ),
        (
            {"origin": "files"},
            "origin=files needs data_dir, the folder that holds the files.",
        ),
    ],
)
def test_a_bad_value_is_one_sentence(given, sentence):
    with pytest.raises(SettingError) as error:
        load_settings(**given)
    assert str(error.value) == sentence


def test_a_bad_value_of_the_environment_is_named_too(monkeypatch):
    monkeypatch.setenv("HTRISK_HISTORY_START", "2014-02-30")
    monkeypatch.setenv("HTRISK_SEED", "many")
    with pytest.raises(SettingError) as error:
        load_settings()
    assert "Setting 'history_start' has value '2014-02-30': " in str(error.value)
    assert "Setting 'seed' has value 'many': Input should be a valid integer" in str(error.value)


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load_settings().seed = 3
