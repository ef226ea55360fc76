"""Twenty users of the dashboard step from day to day: CPU of the server, through gunicorn.

Each has loaded the page and the months; what a step asks of the server is what the browser then
asks: the table of the day, and the panel of a cell, which nobody has chosen. Only the server's
processes are counted, not the users.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

from benchmarks.city_inputs import TIME_ZONE, publish, simulate
from benchmarks.sides import Answer, OwnFigures, Row, Side, Target

USERS, STEPS = 20, 50
FIRST, N_DAYS = date(2024, 11, 1), 61
DAYS = [FIRST + timedelta(days=i) for i in range(N_DAYS)]
_PATIENCE_S = 300


def _prepare(folder: Path) -> None:
    """A snapshot of the city's cells with two months of risk, drawn by a generator."""
    import numpy as np
    import polars as pl
    from htrisk_dagster.evaluation.count_intervals import CountIntervals
    from htrisk_dagster.publishing.risk_table import risk_table
    from htrisk_dagster.publishing.snapshot import SnapshotHeader, SnapshotTable, write_snapshot
    from htrisk_dagster.schemas import predictions, published, raw
    from htrisk_dagster.schemas.grid import CELLS
    from htrisk_dagster.sources import intake
    from htrisk_dagster.study_areas.area import load_area

    if (folder / "snapshots").exists():
        return
    publish(folder)
    simulate(folder)
    area = load_area("nyc")
    cells = pl.read_parquet(folder / "cells.parquet")
    n_cells = cells.height
    rng = np.random.default_rng(0)
    rate = rng.gamma(0.3, 0.01, n_cells) + 1e-5
    expected = rate * rng.uniform(0.8, 1.2, (N_DAYS, n_cells))
    days = np.array(DAYS, dtype="datetime64[D]")
    risk = risk_table(
        expected, days, intervals=CountIntervals.of_size(2.0), target="shootings", model="stack",
        trained_before=FIRST,
        reasons=pl.Series(["+ borough (x1.2), - precinct (x0.63)"] * (N_DAYS * n_cells)),
    )  # fmt: skip
    spread = risk.select("risk_on", "cell_id", pl.lit(1.5).alias("spread_ratio"))
    boroughs = intake.read("boroughs", folder / "city", time_zone=TIME_ZONE).kept
    header = SnapshotHeader(
        area="nyc", area_title=area.title, target="shootings", target_title="shooting incidents",
        data_origin="synthetic", made_from="bench", crs=area.grid.crs,
        cell_size_m=area.grid.cell_size_m, first_on=DAYS[0], last_on=DAYS[-1],
    )  # fmt: skip
    tables = {
        CELLS: cells,
        raw.BOROUGHS: boroughs,
        predictions.CELL_DAY_RISK: risk,
        published.MODEL_SPREAD: spread,
    }
    write_snapshot(folder / "snapshots", header, [SnapshotTable(t, f) for t, f in tables.items()])


def _served(folder: Path) -> Callable[[], object]:
    def work() -> object:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        base = f"http://127.0.0.1:{port}"
        server = subprocess.Popen(
            [sys.executable, "-m", "htrisk_dagster.cli", "dashboard",
             "--snapshot", str(folder / "snapshots"), "--drafts", "--port", str(port)]
        )  # fmt: skip
        try:
            _until_it_answers(base)
            with ThreadPoolExecutor(USERS) as users:
                list(users.map(lambda user: _arrive(base, user), range(USERS)))
                before, began = _cpu_seconds(server.pid), time.perf_counter()
                answers = list(users.map(lambda user: _step_through(base, user), range(USERS)))
                wall = time.perf_counter() - began
                cpu = _cpu_seconds(server.pid) - before
            return OwnFigures(answers, wall, cpu, _peak_gb(server.pid))
        finally:
            server.terminate()
            server.wait()

    return work


def _until_it_answers(base: str) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        try:
            _get(f"{base}/data/drawing")
        except OSError:
            time.sleep(0.3)
        else:
            return
    raise SystemExit("The dashboard did not answer.")


def _arrive(base: str, user: int) -> None:
    """What the browser asks for before the first step."""
    for path in ("/", "/_dash-layout", "/_dash-dependencies", "/data/drawing"):
        _get(base + path)
    for month in sorted({f"{day:%Y-%m}" for day in DAYS}):
        _get(f"{base}/data/risk/{month}")
    _day(base, DAYS[user])
    _cell(base, None, DAYS[user])


def _step_through(base: str, user: int) -> int:
    """Bytes that `STEPS` steps were answered with."""
    size = 0
    for step in range(STEPS):
        day = DAYS[(user + step) % N_DAYS]
        size += len(_day(base, day)) + len(_cell(base, None, day))
    return size


def _day(base: str, day: date) -> bytes:
    return _call(base, {"top-cells": "children", "day-files": "children"}, {"day": str(day)})


def _cell(base: str, cell: int | None, day: date) -> bytes:
    return _call(base, {"cell-panel": "children"}, {"chosen-cell": cell, "day": str(day)})


def _call(base: str, outputs: dict[str, str], inputs: dict[str, object]) -> bytes:
    """A callback of Dash, as its renderer asks for it."""
    listed = [{"id": name, "property": part} for name, part in outputs.items()]
    names = [f"{each['id']}.{each['property']}" for each in listed]
    body = {
        "output": names[0] if len(names) == 1 else f"..{'...'.join(names)}..",
        "outputs": listed[0] if len(listed) == 1 else listed,
        "inputs": [{"id": n, "property": "data", "value": v} for n, v in inputs.items()],
        "changedPropIds": ["day.data"],
        "state": [],
    }
    return _get(f"{base}/_dash-update-component", json.dumps(body).encode())


def _get(address: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:
        content: bytes = answer.read()
    return content


def _processes(pid: int) -> list[int]:
    """A process and its children; gunicorn has a master and one worker."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def _cpu_seconds(pid: int) -> float:
    """CPU of a process and its children so far (man 5 proc, stat: utime and stime)."""
    ticks = 0
    for each in _processes(pid):
        after_name = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(after_name[11]) + int(after_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _peak_gb(pid: int) -> float:
    peaks = [
        int(line.split()[1])
        for each in _processes(pid)
        for line in Path(f"/proc/{each}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return max(peaks) / 1024**2


def _answer(sizes: object) -> Answer:
    import numpy as np

    return {"bytes": np.array(sizes)}


ROW = Row(
    work=f"dashboard, {USERS} users step {STEPS} days each: the server's share of {USERS * STEPS:,} steps",
    prepare=_prepare,
    ours=Side("Dash through gunicorn", _served, _answer),
    target=Target(cpu_seconds=0.005 * USERS * STEPS),
    note="At most 5 ms a step. The map itself steps in the browser: its month is loaded once.",
)
