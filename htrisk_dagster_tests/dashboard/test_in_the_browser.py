"""The dashboard in Chromium, over a city that Dagster made, where only loopback exists.

`browse.py` opens and uses it once; the tests read what it wrote down.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from htrisk_dagster.dashboard.pages import PAGES
from htrisk_dagster_tests.dashboard import browse
from htrisk_dagster_tests.dashboard.namespace import visited
from htrisk_dagster_tests.defs.small_city import City

# Each page twice, every control of it once: two minutes where nothing else runs.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(browse.CHROMIUM).exists(), reason=f"needs {browse.CHROMIUM}"),
]
CASES = """source,gender,exploitation,count
Case management,female,sexual exploitation,900
Case management,female,forced labour in agriculture,
Case management,male,forced labour in agriculture,410
Hotline,female,sexual exploitation,120
Hotline,male,forced labour in agriculture,60
(all),(all),(all),1495
"""
ALL = [f"{kind} {page.path}" for kind in ("wide", "narrow") for page in PAGES]


@pytest.fixture(scope="module")
def report(city: City, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, Any]:
    """What the browser saw."""

    def prepare() -> tuple[str, None]:
        # Case tables lie beside the snapshots; the city, which others read, gets none.
        folder = tmp_path_factory.mktemp("published")
        (folder / "nyc").symlink_to(city.settings.published / city.area.name)
        (folder / "ctdc").mkdir()
        (folder / "ctdc" / "source_by_gender_by_exploitation.csv").write_text(CASES)
        return str(folder / "nyc"), None

    return visited(tmp_path_factory, worker_id, browse.__file__, prepare)


def test_there_is_no_network_but_loopback(report):
    assert report["interfaces"] == ["lo"]


def test_every_page_was_opened_by_its_heading(report):
    assert tuple(page.path for page in PAGES) == browse.PATHS
    for page in PAGES:
        seen = report["pages"][f"wide {page.path}"]
        assert seen["heading"] == page.title
        assert seen["title"] == f"{page.title} · htrisk"


@pytest.mark.parametrize("page", ALL)
def test_no_error_and_no_request_elsewhere(report, page):
    assert report["pages"][page]["errors"] == []
    assert report["pages"][page]["outside"] == []


@pytest.mark.parametrize("page", ALL)
def test_axe_finds_nothing_serious(report, page):
    """axe-core's rules of WCAG 2 and good practice, before and after the controls were used."""
    assert report["pages"][page]["grave"] == []
    assert report["pages"][page].get("grave_after", []) == []


@pytest.mark.parametrize("page", ALL)
def test_a_page_is_as_wide_as_its_window(report, page):
    assert report["pages"][page]["overflow"] == []
    assert report["pages"][page]["overflow_smallest"] == []


@pytest.mark.parametrize("page", ALL)
def test_every_panel_says_what_it_is(report, page):
    seen = report["pages"][page]
    assert seen["panels"] == seen["explained"] >= 1


def test_every_control_was_used(report):
    used = {page.path: report["pages"][f"wide {page.path}"]["used"] for page in PAGES}
    assert used["/"]["segments"] == 3
    assert used["/"]["switches"] == 1
    assert used["/"]["buttons"] >= 5
    assert used["/patterns"]["choices"] == 2
    # The small city has maps of a week: its funnel says that it has no month.
    assert used["/funnel"]["choices"] == 0
    assert used["/patterns"]["segments"] == 2
    assert used["/hot-places"]["segments"] == 3
    assert used["/hot-places"]["choices"] >= 2, "week and series"
    assert used["/cases"]["choices"] >= 4, "table and axes"
    assert all(kinds["details"] >= 1 for kinds in used.values())


def test_dark_is_dark(report):
    grounds = {k: report["pages"][f"{k} /"]["ground"] for k in ("wide", "narrow")}
    assert grounds == {"wide": "rgb(246, 247, 249)", "narrow": "rgb(17, 20, 24)"}


def test_a_day_earlier_is_a_day_earlier_without_asking_for_it(report):
    found = report["map"]
    assert (found["before"], found["last"]) == ("2024-04-04", "2024-04-05")
    assert found["months"] == ["2024-04"], "a month of risk comes in one request"


def test_the_keyboard_walks_from_the_highest_cell(report):
    found = report["map"]
    assert found["readout"].startswith("Rank 1 of ")
    assert found["walked"].startswith("Rank ")
    assert found["walked"] != found["readout"]
    assert found["errors"] == found["outside"] == []


def test_map_panel_and_file_agree(report):
    found, row = report["map"], report["map"]["first_of_file"]
    risk = f"{100 * float(row['risk_prob']):.2g}"
    assert f"risk {float(risk):g}% " in found["readout"]
    assert f"{risk}%" in found["panel"]
    assert f"precinct {row['precinct']}" in found["readout"]
    assert f"precinct {row['precinct']}" in found["panel"]
    assert row["rank"] == "1"


def test_views_differ_and_hidden_is_not_none(report):
    found = report["map"]
    assert found["faded"] > 0
    assert {"u0", "u1"} <= set(found["kinds"]) <= {"u0", "u1", "u2", "u3", "u4", "none"}
    words = ("no data", "cases hidden (k = 11)", "verified cases, ")
    assert all(any(word in text for word in words) for text in found["cases"])


def test_a_permalink_opens_the_same_day_cell_and_view(report):
    found = report["map"]
    assert f"date={found['before']}" in found["link"]
    assert "view=uncertainty" in found["link"]
    assert "cell=" in found["link"]
    assert found["again"] == {
        "day": found["before"], "view": "uncertainty", "panel": found["panel"], "scheme": "dark",
    }  # fmt: skip
