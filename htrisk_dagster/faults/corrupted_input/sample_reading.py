"""Reading a sample, whole or corrupted, as the program reads a file of its kind.

Belongs here: one function for each way: a table's file, a delivery of the FBI, the answer of a feature
service, a release of case records. Does not: samples (`source_samples`), judging (`bad_input`).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl

from htrisk_dagster.faults.corrupted_input.sample import FILE_DAY, N_ROWS, Sample, Way
from htrisk_dagster.faults.corrupted_input.small_layer import SmallLayer, serving_layer
from htrisk_dagster.schemas import raw
from htrisk_dagster.sources import intake, reported_offences
from htrisk_dagster.sources.arcgis import FeatureLayer
from htrisk_dagster.sources.intake import NEW_YORK, Intake
from htrisk_dagster.study_areas.area import StudyArea

_ZONE = "America/New_York"
_DATE_FIELD = "incident_occurred_at"


def read_sample(sample: Sample, folder: Path) -> Intake:
    """Read the file of a sample, the only one in `folder`, which is left as it was.

    Returns
    -------
    Intake
        `kept` has the number of a row in the file as `source_row`, or a day of its own for each.
    """
    return _WAYS[sample.way](sample, folder)


def write_case_file(folder: Path, name: str, content: bytes, size_bytes: int = 0) -> Path:
    """Write a file into an own, new folder, dated as the samples are; a hole fills it to its size."""
    folder.mkdir()
    path = folder / name
    path.write_bytes(content)
    if size_bytes:
        os.truncate(path, size_bytes)
    return _dated(path)


def _dated(path: Path) -> Path:
    noon = datetime.combine(FILE_DAY, time(12), UTC).timestamp()
    os.utime(path, (noon, noon))
    return path


def _table(sample: Sample, folder: Path) -> Intake:
    area = sample.area
    zone, box = (area.time_zone, area.bounding_box) if area else (_ZONE, NEW_YORK)
    return intake.read(sample.table, folder, time_zone=zone, bounding_box=box, area=area)


def _delivery(sample: Sample, folder: Path) -> Intake:
    area = _area_of(sample)
    assert area.agencies is not None, "a study area of agencies"
    return reported_offences.read_offences(
        folder,
        state=area.agencies.state,
        time_zone=area.time_zone,
        bounding_box=area.bounding_box,
    )


def _service(sample: Sample, folder: Path) -> Intake:
    """Ask a layer that answers with the file, keep what it said, and read that."""
    (path,) = folder.iterdir()
    area = _area_of(sample)
    fields = tuple(name for name in sample.header if name not in ("x", "y", "geometry"))
    site = SmallLayer(path.read_bytes(), fields, N_ROWS, is_points="x" in sample.header)
    with tempfile.TemporaryDirectory(prefix="htrisk-service-") as into:
        with (
            _silent_retries(),
            serving_layer(site) as url,
            FeatureLayer(url, attempts=1, max_wait_s=0.0) as layer,
        ):
            _download(sample, layer, area, Path(into))
        for kept in Path(into).rglob("*.gz"):
            _dated(kept)
        return intake.read(
            sample.table,
            Path(into),
            time_zone=area.time_zone,
            bounding_box=area.bounding_box,
            area=area,
        )


@contextmanager
def _silent_retries() -> Iterator[None]:
    """A month that changes is asked for again, which is logged a line each time."""
    from stamina.instrumentation import get_on_retry_hooks, set_on_retry_hooks

    before = get_on_retry_hooks()
    set_on_retry_hooks(())
    try:
        yield
    finally:
        set_on_retry_hooks(before)


def _download(sample: Sample, layer: FeatureLayer, area: StudyArea, into: Path) -> None:
    if sample.form == "GeoJSON":
        layer.download_geojson(["name"], into)
    elif sample.table == raw.INCIDENT_REPORTS.name and area.incident_file:
        layer.download_months(
            area.incident_file.columns,
            date_field=_DATE_FIELD,
            time_zone=area.time_zone,
            start=date(2024, 3, 1),
            stop=date(2024, 4, 1),
            into=into,
        )
    else:
        layer.download(["latitude", "longitude", "type", "status"], into)


def _release(sample: Sample, folder: Path) -> Intake:
    """Read and clean a release; what a rule of recoding made unknown stands in the quarantine."""
    from htrisk_dagster.victim_population.ctdc_files import read_release
    from htrisk_dagster.victim_population.recode import clean

    cleaned = clean(read_release(folder).file)
    told = cleaned.recodes.filter(pl.col("rule") == "unresolved")
    return Intake(
        cleaned.records.with_row_index("source_row", offset=1),
        told.select("rule", "column"),
        pl.DataFrame({"rows": [cleaned.records.height]}),
    )


def _area_of(sample: Sample) -> StudyArea:
    assert sample.area is not None, f"{sample.name} names no study area"
    return sample.area


_WAYS: dict[Way, Callable[[Sample, Path], Intake]] = {
    "table": _table, "delivery": _delivery, "service": _service, "release": _release,
}  # fmt: skip
