from __future__ import annotations

import sys
import threading
from datetime import date
from pathlib import Path

import pytest
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.warehouse import model_files
from htrisk_dagster.warehouse.model_files import ModelFiles

FILES = {"weights.npz": b"\x00\x01", "options.json": b"{}"}


@pytest.fixture
def models(tmp_path):
    return ModelFiles(tmp_path, "nyc", "shootings")


def everything(models) -> list[str]:
    return sorted(str(p.relative_to(models.root)) for p in models.root.rglob("*") if p.is_file())


def test_a_model_comes_back_as_it_was_written(models):
    card = {"trained_before": date(2015, 7, 1), "dispersion": 0.25, "folds": [{"auc": 0.8}]}
    folder = models.write("2015-07-01", "lstm", FILES, card)
    assert folder == models.root / "nyc" / "shootings" / "2015-07-01" / "lstm"
    assert models.read("2015-07-01", "lstm") == FILES
    assert models.card("2015-07-01", "lstm") == {**card, "trained_before": "2015-07-01"}
    assert models.card("2015-08-01", "lstm") == {}


def test_an_infinite_dispersion_survives_the_card(models):
    models.write("2015-07-01", "lstm", {}, {"dispersion": float("inf")})
    assert float(models.card("2015-07-01", "lstm")["dispersion"]) == float("inf")


def test_a_model_is_replaced_as_a_whole(models):
    models.write("2015-07-01", "lstm", FILES, {"n": 1})
    models.write("2015-07-01", "lstm", {"other.bin": b"2"}, {"n": 2})
    assert models.read("2015-07-01", "lstm") == {"other.bin": b"2"}
    assert everything(models) == [
        "nyc/shootings/2015-07-01/lstm/card.json", "nyc/shootings/2015-07-01/lstm/other.bin",
    ]  # fmt: skip


def test_a_write_that_fails_leaves_the_old_model_and_nothing_beside(models):
    models.write("2015-07-01", "lstm", FILES, {"n": 1})
    before = everything(models)
    with pytest.raises(FileNotFoundError):
        models.write("2015-07-01", "lstm", {"a.bin": b"1", "no/such/folder.bin": b"2"}, {"n": 2})
    assert everything(models) == before
    assert models.read("2015-07-01", "lstm") == FILES
    assert models.card("2015-07-01", "lstm") == {"n": 1}


def test_a_model_that_was_not_made_is_one_sentence(models):
    with pytest.raises(MissingPartitionError) as error:
        models.read("2015-07-01", "lstm")
    assert str(error.value) == (
        "There is no model 'lstm' for shootings in nyc from 2015-07-01 "
        f"({models.folder('2015-07-01', 'lstm')} is absent). Materialise nyc/models/lstm for "
        "2015-07-01 first."
    )


def test_names_are_those_of_the_month_without_what_a_killed_write_left(models):
    for name in ("lstm", "etas"):
        models.write("2015-07-01", name, FILES, {})
    models.write("2015-08-01", "stack", FILES, {})
    left = models.folder("2015-07-01", ".lstm.17.tmp")
    left.mkdir()
    (left / "card.json").write_text("{}")
    assert models.names("2015-07-01") == ["etas", "lstm"]
    assert models.names("2015-09-01") == []


def test_months_are_those_of_the_model_area_and_target(models):
    for month in ("2015-09-01", "2015-07-01"):
        models.write(month, "lstm", {}, {})
    models.write("2015-08-01", "xgboost", {}, {})
    ModelFiles(models.root, "nyc", "robbery").write("2014-01-01", "lstm", {}, {})
    assert models.months("lstm") == ["2015-07-01", "2015-09-01"]
    assert models.months("lightgbm") == []


@pytest.mark.parametrize(
    ("day", "month"),
    [
        (date(2015, 7, 1), "2015-07-01"),
        (date(2015, 8, 31), "2015-07-01"),
        (date(2015, 9, 1), "2015-09-01"),
        (date(2030, 1, 1), "2015-09-01"),
    ],
)
def test_the_newest_model_that_may_be_used(models, day, month):
    for made in ("2015-07-01", "2015-09-01"):
        models.write(made, "lstm", {}, {})
    assert models.newest_month("lstm", day) == month


def test_the_newest_models_of_many_days_are_those_of_each(models):
    for made in ("2015-07-01", "2015-09-01"):
        models.write(made, "lstm", {}, {})
    days = [date(2015, 9, 2), date(2015, 7, 1), date(2015, 8, 31)]
    assert models.newest_months("lstm", days) == ["2015-09-01", "2015-07-01", "2015-07-01"]


def test_a_day_before_every_model_is_one_sentence(models):
    models.write("2015-07-01", "lstm", {}, {})
    with pytest.raises(MissingPartitionError) as error:
        models.newest_month("lstm", date(2015, 6, 30))
    assert str(error.value) == (
        "No model 'lstm' for shootings in nyc was trained before 2015-06-30. "
        "Materialise nyc/models/lstm for 2015-06-01 or an earlier month first."
    )


@pytest.mark.skipif(sys.platform != "linux", reason="other systems exchange no folders")
def test_a_reader_never_finds_a_model_absent_while_it_is_replaced(tmp_path: Path) -> None:
    models = ModelFiles(tmp_path, "nyc", "t")
    models.write("2024-01-01", "lstm", {"a": b"0"}, {"n": 0})
    looks, absent = [0], [0]
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            looks[0] += 1
            absent[0] += not models.folder("2024-01-01", "lstm").exists()

    reader = threading.Thread(target=look)
    reader.start()
    for n in range(60):
        models.write("2024-01-01", "lstm", {"a": str(n).encode()}, {"n": n})
    stop.set()
    reader.join()

    assert looks[0] > 60
    assert absent == [0]
    assert models.read("2024-01-01", "lstm") == {"a": b"59"}
    assert [p.name for p in models.folder("2024-01-01", "lstm").parent.iterdir()] == ["lstm"]


def test_a_file_system_that_cannot_exchange_folders_replaces_them_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_files, "_exchanged", lambda one, other: False)
    models = ModelFiles(tmp_path, "nyc", "t")
    for n in (b"1", b"2"):
        models.write("2024-01-01", "lstm", {"a": n}, {})

    assert models.read("2024-01-01", "lstm") == {"a": b"2"}
    assert [p.name for p in models.folder("2024-01-01", "lstm").parent.iterdir()] == ["lstm"]
