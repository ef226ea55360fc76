"""Write a whole synthetic city into a folder, once.

Belongs here: the order of the parts, the folder, its manifest. Does not: any rule of the city.

Files appear together or not at all: they are made in a folder beside and moved. `city.json` names
the preset, the seed, the version of the generator and the digest of each file; a second call with
the same three returns at once. Every file bears the day after the city's last as its date, a later
file a month after that, since readers take a file's date for the day it was pulled.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.synthetic_city import boundary_files, permits
from htrisk_dagster.sources.synthetic_city.complaint_files import (
    HISTORIC,
    LATER,
    ComplaintFile,
    complaint_files,
)
from htrisk_dagster.sources.synthetic_city.context_files import (
    context_tables,
    neighbourhood_geojson,
)
from htrisk_dagster.sources.synthetic_city.land import CELL_M, CRS
from htrisk_dagster.sources.synthetic_city.offences import OFFENCES, TARGET
from htrisk_dagster.sources.synthetic_city.presets import Preset, stream
from htrisk_dagster.sources.synthetic_city.verified_cases import verified_case_table
from htrisk_dagster.sources.synthetic_city.world import World, simulate_world

# Raise it with every change of the bytes.
VERSION = 3
MANIFEST = "city.json"
LATER_DAYS = 31


def write_city(
    folder: Path, preset: Preset, seed: int, progress: Callable[[str], None] | None = None
) -> dict[str, int]:
    """Write the city's files into `folder` unless they are there already.

    Parameters
    ----------
    folder : Path
        Folder of the city. An older city in it is replaced as a whole.
    preset : Preset
        Span and volume.
    seed : int
        Seed of every random stream, 0 or more.
    progress : callable, optional
        Called with one line a file.

    Returns
    -------
    dict of str to int
        Rows of each file by its path within `folder`; features of a GeoJSON file, days of the
        true intensity.

    Raises
    ------
    SourceError
        Where `folder` holds something that is not a synthetic city.
    """
    say = progress or (lambda _: None)
    identity = {
        "preset": {k: str(v) for k, v in asdict(preset).items()},
        "seed": seed,
        "version": VERSION,
    }
    known = _read_manifest(folder)
    if known and {key: known.get(key) for key in identity} == identity and _is_whole(folder, known):
        say(f"{folder}: the city of preset '{preset.name}' and seed {seed} is there already")
        return {path: entry["rows"] for path, entry in known["files"].items()}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as beside:
        made = Path(beside) / "new"
        rows = _write_parts(made, preset, seed, say)
        files = {path: _entry(made / path, count) for path, count in rows.items()}
        (made / MANIFEST).write_text(json.dumps({**identity, "files": files}, indent=1) + "\n")
        _set_dates(made, preset)
        if folder.exists():
            shutil.move(folder, Path(beside) / "old")
        made.rename(folder)
    return rows


def _write_parts(
    folder: Path, preset: Preset, seed: int, say: Callable[[str], None]
) -> dict[str, int]:
    world = simulate_world(preset, seed)
    ground, precincts = world.ground, world.ground.precincts
    writer = _Writer(folder, say)
    writer.text(
        "geo/boroughs.geojson",
        boundary_files.borough_geojson(ground.land),
        len(ground.land.outlines),
    )
    boundaries = boundary_files.precinct_geojson(precincts)
    writer.text("geo/police_precincts.geojson", boundaries, len(precincts.number))
    writer.text(
        "geo/neighbourhoods.geojson",
        neighbourhood_geojson(boundaries, precincts),
        len(precincts.number),
    )
    writer.csv(
        "events/NYC_Permitted_Events.csv", permits.permit_table(world.allowed, preset, precincts)
    )
    writer.csv("mobility/JFK_passengers.csv", world.passengers)
    writer.csv("mobility/MTA_Daily_Ridership.csv", world.riders)
    writer.arrays("truth/intensity.npz", len(world.days), **_truth_arrays(world))
    files = complaint_files(
        world.incidents,
        preset,
        ground.corners,
        precincts,
        stream(seed, "complaint_files"),
        stream(seed, "defects"),
    )
    for file in files:
        writer.complaints(file)
    cases = verified_case_table(
        preset, ground.place[TARGET], ground.corners, precincts, stream(seed, "verified_cases")
    )
    writer.csv("restricted/verified_cases.csv", cases)
    context = context_tables(
        ground.land, precincts, ground.business, preset, stream(seed, "context")
    )
    for path, table in context.items():
        writer.csv(path, table)
    return writer.rows


def _truth_arrays(world: World) -> dict[str, Any]:
    """Everything that is true of the target, and what it takes to lay it on a map."""
    return {
        **{field.name: getattr(world.target, field.name) for field in fields(world.target)},
        "days": world.days,
        "col": world.col,
        "row": world.row,
        "cell_size_m": np.int64(CELL_M),
        "crs": np.str_(CRS),
        "offence_codes": np.unique([o.key_code for o in OFFENCES if o.family == TARGET]),
    }


class _Writer:
    """Writes files below one folder and counts their rows."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self.rows: dict[str, int] = {}

    def csv(self, path: str, table: pl.DataFrame) -> None:
        table.write_csv(self._place(path, table.height))

    def complaints(self, file: ComplaintFile) -> None:
        """Write the rows as they come; the newer layout quotes all text but not what is missing."""
        style: Any = "necessary" if file.path == HISTORIC else "non_numeric"
        with self._place(file.path, file.height).open("wb") as target:
            for number, frame in enumerate(file.frames()):
                frame.write_csv(target, quote_style=style, include_header=number == 0)

    def text(self, path: str, text: str, rows: int) -> None:
        self._place(path, rows).write_text(text)

    def arrays(self, path: str, rows: int, **arrays: Any) -> None:
        np.savez(self._place(path, rows), **arrays)

    def _place(self, path: str, rows: int) -> Path:
        self.rows[path] = rows
        self._say(f"{path}: {rows:,} rows")
        place = self._folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    if not folder.exists() or not any(folder.iterdir()):
        return None
    path = folder / MANIFEST
    if not path.is_file():
        raise SourceError(
            f"{folder} is not empty and holds no {MANIFEST}, so it is no synthetic city and is "
            "left as it is. Name another folder, or empty this one."
        )
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise SourceError(f"{path} is not legal JSON ({error}). Remove the folder.") from error
    return manifest


def _is_whole(folder: Path, manifest: dict[str, Any]) -> bool:
    return all(
        (folder / path).is_file() and (folder / path).stat().st_size == entry["bytes"]
        for path, entry in manifest["files"].items()
    )


def _entry(path: Path, rows: int) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"rows": rows, "bytes": path.stat().st_size, "sha256": digest}


def _set_dates(folder: Path, preset: Preset) -> None:
    """Date every file at noon UTC of the day after the city's last: the same day in New York."""
    after = datetime.combine(preset.last_day + timedelta(days=1), time(12), tzinfo=UTC)
    for path in (folder, *folder.rglob("*")):
        late = timedelta(days=LATER_DAYS if path == folder / LATER else 0)
        noon = (after + late).timestamp()
        os.utime(path, (noon, noon))
