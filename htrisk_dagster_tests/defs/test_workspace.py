from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.settings import Settings


@pytest.mark.parametrize(
    ("given", "since"),
    [
        # The demonstration's third year serves the series of months alone.
        ({"preset": "demo"}, date(2022, 11, 1)),
        ({"preset": "default"}, None),
        ({"preset": "demo", "history_start": date(2024, 1, 1)}, date(2024, 1, 1)),
        ({"preset": "demo", "origin": "api"}, None),
    ],
)
def test_models_learn_from_the_settings_day_else_from_the_citys(tmp_path: Path, given, since):
    assert Workspace(Settings(home=tmp_path, **given)).learns_since == since
