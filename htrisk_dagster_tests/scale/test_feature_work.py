"""Tiles and periods, in whatever number, give the files of the whole made at once."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import fsspec
import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.features import store
from htrisk_dagster.features.feature_matrix import build_block
from htrisk_dagster.features.store import features_table
from htrisk_dagster.scale.execution import InProcess
from htrisk_dagster.scale.feature_work import (
    FeatureRequest,
    join_tiles,
    make_features,
    store_features,
    tile_table,
)
from htrisk_dagster.scale.shared_storage import SharedStorage
from htrisk_dagster.scale.unit import Period, Unit
from htrisk_dagster.scale.unit_inputs import LONGEST_WINDOW_DAYS, read_part
from htrisk_dagster.warehouse.partitions import Partitions
from htrisk_dagster_tests.scale.conftest import FIRST, LAST, TinyCity

START, END = date(2024, 1, 20), LAST
DAYS = [(START + timedelta(days=i)).isoformat() for i in range((END - START).days + 1)]
PRINTS = {day: f"made from {day}" for day in DAYS}


def day_files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (folder / "features" / "cell_day").rglob("*.parquet")}


@pytest.fixture(scope="module")
def at_once(tiny_city: TinyCity, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What `build_block` and the store give without any of the modules under test."""
    folder = tmp_path_factory.mktemp("at_once")
    block = build_block(tiny_city.inputs, START, END + timedelta(days=1), with_counts=False)
    table = features_table(tiny_city.area)
    store.write_days(Partitions(folder, "tiny"), table, block, PRINTS)
    return day_files(folder)


@pytest.mark.parametrize(("n_tiles", "period_days"), [(1, 366), (1, 13), (3, 20), (7, 50)])
def test_any_cut_gives_the_same_files(
    tiny_city: TinyCity, at_once: dict[str, bytes], tmp_path: Path, n_tiles: int, period_days: int
) -> None:
    storage = tiny_city.copy_to(tmp_path / "shared")
    request = FeatureRequest(storage, tiny_city.area, tiny_city.plan.settings, START, END, PRINTS)

    (report,) = store_features(InProcess(n_tiles, period_days), [request])

    assert day_files(tmp_path / "shared") == at_once
    assert report.sums == {"cell_days": 40 * len(DAYS)}
    assert sorted(Path(f).stem for f in report.files) == DAYS
    assert report.absent == ("airport_jfk_anomaly",)
    # Tiles are gone once they are joined.
    assert not list((tmp_path / "shared").rglob("cell_day_tiles/**/*.parquet"))


def test_a_bucket_gives_the_same_files(tiny_city: TinyCity, at_once: dict[str, bytes]) -> None:
    storage = SharedStorage(f"memory://{uuid.uuid4()}/shared")
    bucket, root = fsspec.filesystem("memory"), storage.url.removeprefix("memory:/")
    for path in tiny_city.rows.rglob("*.parquet"):
        bucket.pipe_file(f"{root}/{path.relative_to(tiny_city.rows)}", path.read_bytes())
    request = FeatureRequest(storage, tiny_city.area, tiny_city.plan.settings, START, END, PRINTS)

    store_features(InProcess(n_tiles=3, period_days=20), [request])

    made = {p.rsplit("/", 1)[1]: bucket.cat_file(p) for p in bucket.find(f"{root}/features")}
    assert made == at_once


def test_two_cities_at_once_are_two_cities_alone(
    tiny_city: TinyCity, at_once: dict[str, bytes], tmp_path: Path
) -> None:
    requests = []
    for name in ("x", "y"):
        storage = tiny_city.copy_to(tmp_path / name)
        requests.append(
            FeatureRequest(storage, tiny_city.area, tiny_city.plan.settings, START, END, PRINTS)
        )

    reports = store_features(InProcess(n_tiles=2, period_days=30), requests)

    assert day_files(tmp_path / "x") == day_files(tmp_path / "y") == at_once
    assert [r.sums["cell_days"] for r in reports] == [40 * len(DAYS)] * 2


def test_a_unit_done_twice_leaves_what_one_done_once_leaves(
    tiny_city: TinyCity, tmp_path: Path
) -> None:
    """What a lost machine costs: the same work again, over what it had left."""
    storage = tiny_city.copy_to(tmp_path / "shared")
    settings = replace(tiny_city.plan.settings, n_tiles=2)
    period = Period(START, START + timedelta(days=5))
    units = [Unit(storage, tiny_city.area, tile, period, settings) for tile in (0, 1)]
    for unit in units:
        make_features(unit)
    join_tiles(units[0])
    once = day_files(tmp_path / "shared")
    make_features(units[1])
    join_tiles(units[0])

    assert day_files(tmp_path / "shared") == once
    assert len(once) == 5


def test_a_missing_tile_is_no_partition_rather_than_a_wrong_one(
    tiny_city: TinyCity, tmp_path: Path
) -> None:
    storage = tiny_city.copy_to(tmp_path / "shared")
    settings = replace(tiny_city.plan.settings, n_tiles=3)
    unit = Unit(storage, tiny_city.area, 0, Period(START, START + timedelta(days=5)), settings)
    make_features(unit)

    with pytest.raises(MissingPartitionError, match="00001"):
        join_tiles(unit)

    assert day_files(tmp_path / "shared") == {}
    assert Partitions(tmp_path / "shared", "tiny").keys(tile_table(features_table(unit.area)))


def test_a_unit_holds_the_rows_of_its_tile_and_of_the_longest_window(
    tiny_city: TinyCity,
) -> None:
    """History before the window is held of the tile and its halo alone, and nothing of later."""
    day = FIRST + timedelta(days=LONGEST_WINDOW_DAYS)
    settings = replace(tiny_city.plan.settings, n_tiles=8)
    unit = Unit(
        SharedStorage(str(tiny_city.rows)), tiny_city.area, 0,
        Period(day + timedelta(days=100), day + timedelta(days=101)), settings,
    )  # fmt: skip
    early = Unit(unit.storage, unit.area, 0, Period(START, START + timedelta(days=3)), settings)
    tables = Partitions(tiny_city.rows, "tiny")

    part = read_part(tables, unit)
    rows, all_rows = part.incidents, tiny_city.inputs.incidents

    oldest = unit.period.start - timedelta(days=1 + LONGEST_WINDOW_DAYS)
    before = rows.filter(pl.col("occurred_on") < oldest)
    assert part.part is not None
    assert set(before["cell_id"].to_list()) == set(part.part.cell_ids.tolist())
    wanted = all_rows.filter(
        (pl.col("occurred_on") >= oldest) | pl.col("cell_id").is_in(part.part.cell_ids.tolist())
    )
    assert rows.height == wanted.height < all_rows.height
    known = read_part(tables, early).incidents["reported_on"]
    # Before the cutoff of the third day, which is the day before it.
    assert known.max() == START
    assert np.all(known.is_not_null().to_numpy())
