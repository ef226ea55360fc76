"""The city of the graph's own tests, and a copy of it whose runs are forked from one process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from htrisk_dagster.faults.killed_process import Template
from htrisk_dagster_tests.defs.conftest import city, city_copy
from htrisk_dagster_tests.defs.small_city import APRIL, City

__all__ = ["city", "city_copy"]


@dataclass(frozen=True)
class Forked:
    """A city and the process that its runs are forked of; whoever uses it leaves it whole."""

    city: City
    template: Template
    log: Path


@pytest.fixture(scope="session")
def forked(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forked]:
    folder = tmp_path_factory.mktemp("forked")
    copy, log = city.copy_to(folder / "city"), folder / "runs.log"
    # What the views name is where the city was copied to.
    copy.workspace.build_catalog()
    with Template(copy.settings, APRIL, log) as template:
        yield Forked(copy, template, log)
