"""Two invented cities whose files have nothing in common but that incidents happen.

Sur de la Plata publishes a CSV in Spanish with days first, points and numbered precincts, south of the
equator. Prairie Falls publishes JSON with beats, offsets and agencies, and no point at all.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

FIRST, LAST = date(2023, 9, 1), date(2024, 4, 10)
SUR_MIDDLE = (-56.16, -34.88)
BEATS = tuple(f"{letter}{n}" for letter in "AB" for n in range(1, 7))
SUR_LABELS = ("HURTO", "RAPIÑA", "TRATA DE PERSONAS", "Violencia doméstica")
FALLS_LABELS = ("Theft", "Burglary", "Prostitution", "Assault")
_SHARES = (0.5, 0.2, 0.1, 0.2)


def write_sur(folder: Path, per_day: float = 60.0, seed: int = 3) -> Path:
    """`denuncias.csv`: 7 good months and five rows of every kind of defect at its end."""
    rng = np.random.default_rng(seed)
    days = _days()
    counts = rng.poisson(per_day, len(days))
    n = int(counts.sum())
    day = np.repeat(np.arange(len(days)), counts)
    # Two places in five hold most of it.
    centre = rng.choice(3, n, p=(0.35, 0.35, 0.3))
    at = np.array([[-0.012, 0.006], [0.010, -0.008], [0.0, 0.0]])[centre]
    spread = np.where(centre == 2, 0.011, 0.0025)[:, None]
    offset = np.clip(at + rng.normal(0, 1, (n, 2)) * spread, -0.022, 0.022)
    lon, lat = (np.array(SUR_MIDDLE) + offset).T
    minute = rng.integers(0, 24 * 60, n)
    late = rng.poisson(0.4, n)
    label = rng.choice(len(SUR_LABELS), n, p=_SHARES)
    precinct = 1 + (offset[:, 0] > 0) + 2 * (offset[:, 1] > 0)
    lines = [
        "Nro. Expediente,Fecha Hecho,Fecha Denuncia,Delito,Seccional,Latitud,Longitud,Sexo Victima"
    ]
    for i in range(n):
        on = days[day[i]]
        told = on + timedelta(days=int(late[i]))
        lines.append(
            f"{900000 + i},{on:%d/%m/%Y} {minute[i] // 60:02d}:{minute[i] % 60:02d},{told:%d/%m/%Y},"
            f"{SUR_LABELS[label[i]]},{precinct[i]:02d},{lat[i]:.6f},{lon[i]:.6f},F"
        )
    good = lines[-1].split(",")
    defects = {1: "31/02/2024 10:00", 5: "0", 2: "01/01/2023", 0: ""}
    for column, value in defects.items():
        row = [*good]
        row[0] = str(990000 + column)
        row[column] = value
        row[6] = "0" if column == 5 else row[6]
        lines.append(",".join(row))
    lines.append(",".join([good[0], *good[1:]]))  # the last number again
    return _written(folder / "denuncias.csv", "\n".join(lines) + "\n")


def write_falls(folder: Path, per_day: float = 20.0, seed: int = 4) -> Path:
    """`calls.json`: a list of objects, with two rows of a beat that nobody knows."""
    rng = np.random.default_rng(seed)
    days = _days()
    counts = rng.poisson(per_day, len(days))
    day = np.repeat(np.arange(len(days)), counts)
    n = len(day)
    weight = np.linspace(1, 4, len(BEATS))
    beat = rng.choice(len(BEATS), n, p=weight / weight.sum())
    label = rng.choice(len(FALLS_LABELS), n, p=_SHARES)
    minute = rng.integers(0, 24 * 60, n)
    rows = [
        {
            "CaseNumber": f"PF-{i:06d}",
            "OffenseStart": f"{days[day[i]]}T{minute[i] // 60:02d}:{minute[i] % 60:02d}:00-06:00",
            "OffenseType": FALLS_LABELS[label[i]],
            "Beat": BEATS[beat[i]],
            "Agency": "Prairie Falls PD" if beat[i] < 6 else "County Sheriff",
        }
        for i in range(n)
    ]
    rows += [{**rows[-1], "CaseNumber": f"PF-9{i}", "Beat": "Z9"} for i in range(2)]
    return _written(folder / "calls.json", json.dumps(rows))


def write_beats(folder: Path) -> Path:
    """`beats.geojson`: two rows of six beats of 2 km, A in the south, numbers eastwards."""
    features = []
    for code in BEATS:
        west, south = -96.8 + 0.024 * (int(code[1]) - 1), 40.8 + (0.018 if code[0] == "B" else 0)
        ring = [[west, south], [west + 0.024, south], [west + 0.024, south + 0.018],
                [west, south + 0.018], [west, south]]  # fmt: skip
        shape = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"beat_id": code}, "geometry": shape})
    text = json.dumps({"type": "FeatureCollection", "features": features})
    return _written(folder / "beats.geojson", text)


def _days() -> list[date]:
    return [FIRST + timedelta(days=i) for i in range((LAST - FIRST).days + 1)]


def _written(path: Path, text: str) -> Path:
    import os

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    # The day of the file is what a row is judged by.
    at = datetime(LAST.year, LAST.month, LAST.day, 12, tzinfo=UTC).timestamp() + 86400
    os.utime(path, (at, at))
    return path
