"""A city so small that a run of everything takes a minute, made to be killed a thousand times.

Belongs here: its reports, its study area, its workspace, an amendment of the reports. Does not: killing
(`killed_process`), what must be so after a kill (`kill_audit`).

Eight beats, half a year, a dozen reports a day: every step from raw to the published snapshot happens,
and nothing is learnt.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from htrisk_dagster.settings import Settings

FIRST, LAST = date(2023, 10, 1), date(2024, 4, 21)
START, END = date(2024, 4, 2), date(2024, 4, 3)
"""Days that are mapped: so that a step has a first and a last one."""
_BEATS = tuple(f"{letter}{n}" for letter in "AB" for n in range(1, 5))
_LABELS = {"trafficking_related": "Prostitution", "theft": "Theft", "assault": "Assault"}
_SHARES = (0.2, 0.5, 0.3)
_AREA = "kill_city"
_AMENDED = date(2024, 3, 25)


@dataclass(frozen=True)
class KillCity:
    """Folder of the city's files, its study area and its workspace.

    Parameters
    ----------
    folder : Path
    """

    folder: Path

    @property
    def settings(self) -> Settings:
        """Settings of the workspace; the same wherever the process that asks was started."""
        return Settings(
            _env_file=None, area=_AREA, origin="files", data_dir=self.folder / "data",
            home=self.folder / "home", study_areas=self.folder / "areas", profile="smoke",
            history_start=FIRST, seed=20260101,
        )  # type: ignore[call-arg]  # fmt: skip

    def publish(self, *, amended: bool = False) -> None:
        """Write the publisher's files; amended, a report of March is changed and four are new."""
        rows = _reports()
        if amended:
            rows += [
                {**row, "CaseNumber": f"KC-9{i:05d}", "OffenseStart": f"{_AMENDED}T0{i}:15:00"}
                for i, row in enumerate(rows[:4])
            ]
            rows[-5] = {**rows[-5], "OffenseType": "Prostitution"}
        _write(self.folder / "data" / "calls.json", json.dumps(rows))
        _write(self.folder / "data" / "beats.geojson", json.dumps(_beats()))
        _write(self.folder / "areas" / f"{_AREA}.toml", _study_area())

    def clear(self) -> None:
        """Remove the workspace, not the files that it is made from."""
        shutil.rmtree(self.folder / "home", ignore_errors=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    # The day of a file is the day by which its rows are judged.
    at = datetime.combine(LAST, time(12), UTC).timestamp() + 86_400
    os.utime(path, (at, at))


def _reports() -> list[dict[str, str]]:
    rng = np.random.default_rng(7)
    counts = rng.poisson(12.0, (LAST - FIRST).days + 1)
    day = np.repeat(np.arange(len(counts)), counts)
    weight = np.linspace(1, 3, len(_BEATS))
    beat = rng.choice(len(_BEATS), len(day), p=weight / weight.sum())
    label = rng.choice(len(_LABELS), len(day), p=_SHARES)
    minute = rng.integers(0, 24 * 60, len(day))
    labels = list(_LABELS.values())
    return [
        {
            "CaseNumber": f"KC-{i:06d}",
            "OffenseStart": f"{FIRST + timedelta(days=int(day[i]))}T{minute[i] // 60:02d}:"
            f"{minute[i] % 60:02d}:00",
            "OffenseType": labels[label[i]],
            "Beat": _BEATS[beat[i]],
        }
        for i in range(len(day))
    ]


def _beats() -> dict[str, object]:
    """Two rows of four beats of 2 km, A in the south, numbers eastwards."""
    features = []
    for code in _BEATS:
        west, south = -96.8 + 0.024 * (int(code[1]) - 1), 40.8 + (0.018 if code[0] == "B" else 0)
        east, north = west + 0.024, south + 0.018
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"beat": code}, "geometry": shape})
    return {"type": "FeatureCollection", "features": features}


def _study_area() -> str:
    areas = "\n".join(
        f'"{code}" = {{number = {i + 1}, district = "{code[0]}"}}' for i, code in enumerate(_BEATS)
    )
    groups = "\n".join(
        f'[offence_groups.{name}]\nlabels = ["{label}"]' for name, label in _LABELS.items()
    )
    series = "\n".join(
        f'[series.{name}]\ntitle = "{label}"\nsources = ["incident_reports"]\n'
        f'offence_groups = ["{name}"]'
        for name, label in _LABELS.items()
    )
    return f"""
name = "{_AREA}"
title = "Kill City"
time_zone = "America/Chicago"
first_day = {FIRST}

[bounding_box]
west = -96.81
south = 40.78
east = -96.69
north = 40.85

[grid]
crs = "EPSG:32614"
cell_size_m = 2020
minimum_land_share = 0.02
unit = "area"

[publication_lag]
incidents_days = 1
airport_days = 45
transit_days = 2

[holidays]
country = "US"

[incident_file]
occurred_at = "OffenseStart"
id = "CaseNumber"
offence = "OffenseType"
area = "Beat"
times_are = "local"
day_first = false

[boundary]
areas = "beat"

[areas]
{areas}

[offence_groups]
{groups}

[incidents]
title = "all reported incidents"
sources = ["incident_reports"]

[series]
{series}

[targets.trafficking_related]
title = "prostitution"
sources = ["incident_reports"]
offence_groups = ["trafficking_related"]
"""
