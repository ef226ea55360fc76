"""One small city, run end to end through Dagster once for the whole session."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from htrisk_dagster_tests.defs.small_city import APRIL, MARCH, City, publish, refuse_network


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> City:
    """April's and March's models, forecasts and maps of a week; read it, never write to it.

    Workers of pytest-xdist share one: the first to come makes it, the others wait at a lock.
    https://pytest-xdist.readthedocs.io/en/stable/how-to.html
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    done = shared / "city.done"
    with (shared / "city.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            made = publish(shared / "city")
            with refuse_network() as tried:
                made.run_range(*APRIL)
                made.run_range(*MARCH)
            done.write_text("\n".join(map(str, tried)))
    assert not done.read_text(), f"The network was asked for: {done.read_text()}"
    return City(shared / "city")


@pytest.fixture
def city_copy(city: City, tmp_path: Path) -> City:
    """A copy of the city that a test may change."""
    return city.copy_to(tmp_path / "city")
