"""The order of all tests, and how long Hypothesis may take over an example."""

from __future__ import annotations

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, not whether the example is right.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what needs the city of `defs/` last, but for one test that lets a worker make it at once.

    Workers of pytest-xdist would else begin by waiting for the one that makes it.
    """
    needs_city = [item for item in items if "city" in getattr(item, "fixturenames", ())]
    rest = [item for item in items if "city" not in getattr(item, "fixturenames", ())]
    items[:] = needs_city[:1] + rest + needs_city[1:]
