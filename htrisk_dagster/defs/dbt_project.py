"""The dbt project: where it lies, its manifest, and the profile of a workspace.

Belongs here: what Dagster needs to know of dbt before it can load the assets. Does not: the
assets (`assets/staging.py`), nor SQL (`dbt/`). In a module of its own, because importing
dagster-dbt costs a second.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from htrisk_dagster.errors import SettingError
from htrisk_dagster.warehouse.catalog import FILE_NAME
from htrisk_dagster.warehouse.partitions import fingerprint_of, write_text_whole

FOLDER = Path(__file__).parents[2] / "dbt"
MANIFEST = FOLDER / "target" / "manifest.json"
_STAMP = FOLDER / "target" / "made_from.txt"


def sources_fingerprint() -> str:
    """Fingerprint of every file that dbt reads."""
    files = sorted(
        p for s in ("models", "macros", "tests") for p in (FOLDER / s).rglob("*") if p.is_file()
    )
    return fingerprint_of(*((p.name, p.read_bytes()) for p in (*files, FOLDER / "dbt_project.yml")))


def manifest() -> Path:
    """Path of a manifest that fits the SQL on disk, parsed anew where it does not.

    Raises
    ------
    SettingError
        Where the dbt folder is missing or dbt cannot parse it; the message holds dbt's own words.
    """
    wanted = sources_fingerprint()
    if MANIFEST.is_file() and _STAMP.is_file() and _STAMP.read_text() == wanted:
        return MANIFEST
    executable = dbt_executable()
    arguments = [executable, "parse", "--quiet", "--project-dir", FOLDER, "--profiles-dir", FOLDER]
    done = subprocess.run(
        [str(a) for a in arguments],
        capture_output=True,
        text=True,
        env=dbt_environment(),
        check=False,
    )
    if done.returncode:
        raise SettingError(f"dbt cannot parse {FOLDER}: {(done.stdout + done.stderr).strip()}")
    write_text_whole(_STAMP, wanted)
    return MANIFEST


def dbt_executable() -> Path:
    """The dbt command beside this Python, whatever PATH says."""
    return Path(sys.executable).parent / "dbt"


def dbt_environment() -> Mapping[str, str]:
    """Environment of a dbt process: no telemetry, no colour."""
    return {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_USE_COLORS": "false"}


def write_profile(folder: Path, area: str) -> Path:
    """Write the dbt profile of a study area into a folder of dbt's own; return the folder.

    The target's name is the study area. dbt reads a catalog of views that nobody else opens, and
    writes one Parquet file a model into `external`.
    """
    (folder / "external").mkdir(parents=True, exist_ok=True)
    output: dict[str, Any] = {
        "type": "duckdb",
        "path": ":memory:",
        "threads": 2,
        "external_root": str(folder / "external"),
        "attach": [{"path": str(folder / FILE_NAME), "alias": "warehouse", "read_only": True}],
    }
    profile = {"htrisk": {"target": area, "outputs": {area: output}}}
    write_text_whole(folder / "profiles.yml", yaml.safe_dump(profile, sort_keys=False))
    return folder
