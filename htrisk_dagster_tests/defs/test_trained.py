"""What models are trained on is read once for all of a month, and again when a file is another."""

from __future__ import annotations

import os

import numpy as np
from htrisk_dagster.defs.trained import let_go, training_set
from htrisk_dagster.features.store import features_table
from htrisk_dagster_tests.defs.small_city import City

MONTH = "2024-04-01"


def test_a_training_set_is_held_until_a_file_is_another(city_copy: City) -> None:
    workspace, area = city_copy.workspace, city_copy.area
    first = training_set(workspace, area, MONTH)
    assert training_set(city_copy.workspace, area, MONTH) is first
    day = first.days[-1]
    changed = workspace.tables(area.name).path(features_table(area), day)
    os.utime(changed, (0, 0))
    second = training_set(workspace, area, MONTH)
    assert second is not first
    np.testing.assert_array_equal(second.block.features, first.block.features)
    assert training_set(workspace, area, "2024-03-01").days[-1] < day
    let_go()
    assert training_set(workspace, area, MONTH) is not second
    let_go()
