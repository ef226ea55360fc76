"""A review by two reviewers in Chromium, from draft to withdrawn, where only loopback exists."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from htrisk_dagster.publishing.dossier import REQUIRED
from htrisk_dagster_tests.dashboard import browse, browse_review
from htrisk_dagster_tests.dashboard.namespace import visited
from htrisk_dagster_tests.defs.review_office import DAY, Office
from htrisk_dagster_tests.defs.small_city import City

# Twenty pages in a browser, half a minute where nothing else runs.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(browse.CHROMIUM).exists(), reason=f"needs {browse.CHROMIUM}"),
]


@pytest.fixture(scope="module")
def reviewed(
    city: City, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> dict[str, Any]:
    """What the browsers saw."""

    def prepare() -> tuple[str, dict[str, str]]:
        folder = tmp_path_factory.mktemp("reviewed")
        office = Office(city.copy_to(folder / "city"), folder)
        return DAY, {**os.environ, **office.environment()}

    return visited(tmp_path_factory, worker_id, browse_review.__file__, prepare)


def test_two_reviewers_let_a_map_out_and_one_takes_it_back(reviewed: dict[str, Any]) -> None:
    first, second, out, back = reviewed["told"]
    assert first.startswith("Record 1 is signed: anna, approve.")
    assert second.startswith("Record 2 is signed: ben, approve.")
    assert out.startswith("Record 3 is signed: ben, publish.")
    assert back.startswith("Record 4 is signed: anna, withdraw.")
    assert reviewed["records"] == 4, "loading the page again signs nothing"
    assert reviewed["documents"] == len(REQUIRED)


def test_a_reader_sees_the_map_only_while_it_is_out(reviewed: dict[str, Any]) -> None:
    before, between, after = (reviewed[when] for when in ("before", "between", "after"))
    assert (before["maps"], between["maps"], after["maps"]) == (0, 1, 0)
    assert "No map is published" in before["words"]
    assert between["title"].endswith("5 April 2024")
    assert between["stage"] == ""
    assert "DRAFT" not in between["words"]
    assert f"The map of {DAY} is not shown. It was withdrawn on" in after["words"]
    assert browse_review.REASON in after["words"]


def test_a_reader_finds_no_way_to_review(reviewed: dict[str, Any]) -> None:
    for when in ("before", "between", "after"):
        assert reviewed[when]["review"] == 403
        assert "Review and release" not in reviewed[when]["links"]
        assert reviewed[when]["errors"] == reviewed[when]["outside"] == []


def test_the_pages_are_fit_for_all_and_ask_nobody_else(reviewed: dict[str, Any]) -> None:
    """Anna's wide and light, Ben's as a phone's and dark."""
    for name, n_looks in (("anna", 2), ("ben", 1)):
        found = reviewed[name]
        assert found["errors"] == found["outside"] == []
        assert found["seen"] == [{"grave": [], "overflow": []}] * n_looks
