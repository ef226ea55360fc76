from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.features.catalogue import feature_catalogue
from htrisk_dagster.features.sequences import sequence_columns


def test_channels_and_static_columns_of_the_catalogue():
    names = [spec.name for spec in feature_catalogue(("incidents", "robbery"))]
    found = sequence_columns(names)
    assert found.channels == ("target", "incidents", "events")
    assert [[names[i] for i in day] for day in found.lag_index] == [
        [f"target_lag_{k}", f"incidents_lag_{k}", f"events_lag_{k}"] for k in (7, 6, 5, 4, 3, 2, 1)
    ]
    static = [names[i] for i in found.static_index]
    assert static[:2] == ["target_lag_8", "target_lag_9"]
    assert len(static) == len(names) - 21
    assert static == [n for n in names if n not in {names[i] for i in found.lag_index.ravel()}]


def test_rows_taken_by_the_index_are_sequences():
    names = ["a_lag_7", "b", *(f"a_lag_{k}" for k in range(1, 7)), "c_lag_1"]
    rows = np.arange(18, dtype=np.float32).reshape(2, 9)
    found = sequence_columns(names)
    assert rows[:, found.lag_index].shape == (2, 7, 1)
    assert rows[:, found.lag_index][0, :, 0].tolist() == [0, 7, 6, 5, 4, 3, 2]
    assert rows[:, found.static_index].tolist() == [[1, 8], [10, 17]]


def test_a_series_with_a_gap_is_no_channel():
    with pytest.raises(ValueError, match="No series has lags 1 to 7"):
        sequence_columns([f"a_lag_{k}" for k in (1, 2, 3, 4, 5, 7, 8)])
