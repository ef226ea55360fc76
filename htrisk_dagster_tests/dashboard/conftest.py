"""One small snapshot for the whole session, and the city of `defs`; read them, never write to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from htrisk_dagster.dashboard.snapshots import Snapshot, SnapshotShelf
from htrisk_dagster_tests.dashboard.small_snapshot import write
from htrisk_dagster_tests.defs.conftest import city

__all__ = ["city"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snapshots") / "nyc"
    write(folder)
    return folder


@pytest.fixture(scope="session")
def snapshot(folder: Path) -> Snapshot:
    return SnapshotShelf(folder, with_drafts=True).newest()
