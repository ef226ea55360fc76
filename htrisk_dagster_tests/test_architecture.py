"""What the packages may know of each other, how cheap loading is, and the shape of the code."""

from __future__ import annotations

import ast
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "htrisk_dagster"
ORCHESTRATION = {"defs", "cli", "faults", "definitions.py"}
SCIENCE = sorted(
    p.name
    for p in PACKAGE.iterdir()
    if (p / "__init__.py").exists() and p.name not in ORCHESTRATION
)
# Every process of Dagster loads the definitions; each of these costs a second or more.
HEAVY = {
    "torch", "lightgbm", "xgboost", "sklearn", "hdbscan", "geopandas", "pandas", "mlflow",
    "statsmodels", "matplotlib", "httpx",
}  # fmt: skip
VAGUE = {"utils", "util", "helpers", "common", "core", "misc", "manager"}


def modules_after(statement: str) -> set[str]:
    """Top-level modules that a fresh Python holds after a statement."""
    script = (
        f"{statement}\nimport json, sys\n"
        "print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(json.loads(done.stdout))


def science_modules(package: str) -> Iterator[str]:
    for path in sorted((PACKAGE / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_import_contracts_hold() -> None:
    """Imports go downward, siblings are strangers, the science knows no Dagster or MLflow."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_every_package_is_under_the_contracts() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    layers, forbidden = (
        text.split(f'name = "{name}"')[1].split("[[tool")[0]
        for name in (
            "imports go downward only; siblings are strangers",
            "the science does not know the orchestrator",
        )
    )
    for package in SCIENCE:
        assert f"htrisk_dagster.{package}" in layers, package
        assert f'"htrisk_dagster.{package}"' in forbidden, package


@pytest.mark.parametrize("package", SCIENCE)
def test_science_runs_without_the_orchestrator(package: str) -> None:
    """Every module of the package, imported in a Python of its own."""
    statement = "\n".join(f"import {name}" for name in science_modules(package))

    modules = modules_after(statement)

    assert not modules & {"dagster", "dagster_dbt", "dagster_duckdb", "mlflow", "torch"}


def test_the_definitions_load_without_heavy_modules() -> None:
    modules = modules_after("from htrisk_dagster.definitions import defs; defs()")

    assert not modules & HEAVY


def test_the_command_line_loads_nothing_before_it_must() -> None:
    modules = modules_after("import htrisk_dagster.cli")

    assert not modules & (HEAVY | {"dagster", "polars", "numpy", "duckdb"})


def assets() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions under an asset decorator, checks left out."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                names = [ast.unparse(d).split("(")[0] for d in node.decorator_list]
                if any(n.split(".")[-1] in ("asset", "multi_asset", "dbt_assets") for n in names):
                    yield f"{path.relative_to(ROOT)}:{node.name}", node


def body_lines(function: ast.FunctionDef) -> int:
    body = function.body[1:]  # the docstring
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_assets_only_read_call_and_write() -> None:
    found = dict(assets())
    lines = {name: body_lines(function) for name, function in found.items()}

    assert len(found) >= 10
    assert [n for n, f in found.items() if not ast.get_docstring(f)] == []
    assert statistics.median(lines.values()) <= 12, lines
    assert max(lines.values()) <= 40, lines


def test_modules_are_named_by_their_subject_and_not_long() -> None:
    paths = sorted(PACKAGE.rglob("*.py"))

    assert [str(p) for p in paths if VAGUE & {p.stem, *p.relative_to(PACKAGE).parts}] == []
    assert {str(p): n for p in paths if (n := len(p.read_text().splitlines())) > 400} == {}
    assert [str(p) for p in paths if not ast.get_docstring(ast.parse(p.read_text()))] == []


def test_dagster_can_read_the_types_of_assets_and_checks() -> None:
    """Dagster cannot resolve postponed annotations of a context or a resource."""
    for name, node in assets():
        tree = ast.parse((ROOT / name.partition(":")[0]).read_text())
        futures = {
            alias.name
            for n in tree.body
            if isinstance(n, ast.ImportFrom) and n.module == "__future__"
            for alias in n.names
        }
        assert "annotations" not in futures, f"{name} ({node.lineno})"


def test_the_tree_in_the_readme_is_the_tree_on_disk() -> None:
    text = (ROOT / "README.md").read_text()
    tree = text.split("<!-- tree -->")[1].split("<!-- /tree -->")[0]
    listed: dict[str, set[str]] = {}
    trail: list[tuple[int, str]] = []
    for line in tree.splitlines():
        if found := re.match(r"^([^\w.]*)([\w.-]+)/", line):
            depth, name = len(found[1]), found[2]
            trail = [*(step for step in trail if step[0] < depth), (depth, name)]
            listed.setdefault("/".join(n for _, n in trail[:-1]), set()).add(name)

    parents = [path for path in listed if path.split("/")[-1] == "htrisk_dagster"]
    assert len(parents) == 1, listed
    on_disk = {
        p.name for p in PACKAGE.iterdir() if p.is_dir() and list(p.glob("*.py"))
    }  # fmt: skip
    assert listed[parents[0]] == on_disk
