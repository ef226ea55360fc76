"""The truth of a city is out of reach of everything that forecasts it."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import htrisk_dagster
import pytest
from htrisk_dagster.sources.intake import NEW_YORK, read

from .conftest import City

PACKAGE = Path(htrisk_dagster.__file__).parent
# What forecasts, and what it is made from. Evaluation may open the truth: it needs the ceiling.
CLOSED = ("sources", "warehouse", "grid", "features", "models", "hotspots", "victim_population")
GENERATOR = PACKAGE / "sources" / "synthetic_city"
RAW = ("complaints", "permitted_events", "airport_passengers", "transit_ridership", "boroughs",
       "precincts", "verified_cases")  # fmt: skip
FORBIDDEN = ("synthetic_city", "TargetTruth", "simulate_world", "truth/", "intensity.npz")

MODULES = sorted(
    path
    for layer in CLOSED
    for path in (PACKAGE / layer).rglob("*.py")
    if GENERATOR not in path.parents
)


def mentions(source: str) -> set[str]:
    """Forbidden words in code: names, attributes, imports and texts that are no docstrings."""
    tree = ast.parse(source)
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    words: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words += [] if id(node) in documents else [node.value]
        elif isinstance(node, ast.Name):
            words.append(node.id)
        elif isinstance(node, ast.Attribute):
            words.append(node.attr)
        elif isinstance(node, ast.Import):
            words += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            words += [f"{node.module}.{alias.name}" for alias in node.names]
    return {bad for bad in FORBIDDEN for word in words if bad in word}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_module_that_forecasts_mentions_the_truth(path: Path) -> None:
    assert mentions(path.read_text()) == set()


def test_the_guard_sees_every_way_in() -> None:
    assert len(MODULES) > 40
    for way in (
        "from htrisk_dagster.sources.synthetic_city import simulate_world",
        "import htrisk_dagster.sources.synthetic_city.world",
        "from htrisk_dagster.sources import synthetic_city",
        "world.simulate_world(preset, 1)",
        "np.load(folder / 'truth/intensity.npz')",
    ):
        assert mentions(way)
    assert not mentions('"""The synthetic_city has a truth/ folder."""\nx = 1')


def test_readers_see_the_same_tables_with_and_without_the_truth(city: City, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(city.folder, bare)
    shutil.rmtree(bare / "truth")
    for table in RAW:
        whole, without = (
            read(table, folder, time_zone="America/New_York", bounding_box=NEW_YORK)
            for folder in (city.folder, bare)
        )
        assert whole.kept.height > 0
        assert whole.kept.equals(without.kept)
        assert whole.quarantined.equals(without.quarantined)
        assert whole.files.equals(without.files)
        assert not whole.files["source_file"].str.contains("truth").any()
