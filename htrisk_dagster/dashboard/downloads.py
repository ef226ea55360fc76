"""Addresses that answer with data: the map's bytes, and files of what is shown.

Belongs here: routes, and the files they make. Does not: pages.

Every address is a question to the newest snapshot; none writes. Cells leave as squares in longitude
and latitude, made from their centre and size in the projected system.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl
from dash import Dash
from flask import Flask, Response, abort, request

from htrisk_dagster.dashboard.month_of_risk import drawing, month_bytes
from htrisk_dagster.dashboard.snapshots import BY_DAY, Snapshot, SnapshotShelf
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.evaluation.release_periods import in_words
from htrisk_dagster.publishing.release_states import DRAFT, PUBLISHED
from htrisk_dagster.schemas.raw import PRECINCTS
from htrisk_dagster.schemas.staging import VERIFIED_CASE_COUNTS
from htrisk_dagster.warehouse.exported_csv import csv_for_people

_WGS84 = "EPSG:4326"
_GEOMETRY = "geometry"


def add_routes(app: Dash, shelf: SnapshotShelf) -> None:
    """Let the app answer `/data/...` and `/download/...`."""
    _add_map_data(app.server, shelf)
    _add_files(app.server, shelf)


def _add_map_data(server: Flask, shelf: SnapshotShelf) -> None:
    @server.get("/data/drawing")
    def map_drawing() -> Response:
        return _json(drawing(_newest(shelf)))

    @server.get("/data/risk/<month>")
    def risk_of_month(month: str) -> Response:
        try:
            content = month_bytes(_newest(shelf), _first_of(month))
        except LookupError as error:
            abort(404, str(error))
        return _answer(content, "application/octet-stream")

    @server.get("/data/verified_cases")
    def verified_cases() -> Response:
        return _json(case_counts(_newest(shelf)))


def _add_files(server: Flask, shelf: SnapshotShelf) -> None:
    @server.get("/download/risk/<day>.<kind>")
    def risk_of_day(day: str, kind: str) -> Response:
        if kind not in _RISK_FILES:
            abort(404, f"Risk comes as {', '.join(_RISK_FILES)}, not as {kind}.")
        snapshot = _newest(shelf)
        rows = day_rows(snapshot, _day_of(day))
        if rows.is_empty():
            abort(404, f"There is no risk map of {day}.")
        make, media_type = _RISK_FILES[kind]
        stage = snapshot.stage_of(_day_of(day)).stage
        name = f"risk_{snapshot.header.area}_{day}.{kind}"
        return file_to_keep(make(snapshot, rows), media_type, name, stage)

    @server.get("/download/<name>.csv")
    def table(name: str) -> Response:
        snapshot = _newest(shelf)
        if name in BY_DAY:
            abort(404, f"{name} comes a day at a time: /download/risk/2024-12-31.csv is one.")
        try:
            frame = staged(snapshot, _without_geometry(_asked_for(snapshot, name)))
        except MissingPartitionError as error:
            abort(404, str(error))
        content = csv_for_people(frame).encode()
        return file_to_keep(content, "text/csv", f"{name}.csv", snapshot.stage)

    @server.get("/download/<name>.geojson")
    def table_on_map(name: str) -> Response:
        snapshot = _newest(shelf)
        try:
            if name in BY_DAY:
                raise LookupError(
                    f"{name} comes a day at a time: /download/risk/2024-12-31.geojson is one."
                )
            frame = staged(snapshot, _asked_for(snapshot, name))
            content = places_geojson(snapshot, frame)
        except (MissingPartitionError, LookupError) as error:
            abort(404, str(error))
        return file_to_keep(content, "application/geo+json", f"{name}.geojson", snapshot.stage)


def _asked_for(snapshot: Snapshot, name: str) -> pl.DataFrame:
    """A table, or of it the rows that the address names, as `?week_on=2024-12-02` does."""
    frame = snapshot.table(name)
    for column, value in request.args.items():
        if column not in frame.columns or column == _GEOMETRY or frame.schema[column].is_nested():
            abort(404, f"{name} has no column '{column}' to choose rows by.")
        frame = frame.filter(pl.col(column).cast(pl.String) == value)
    return frame


def _newest(shelf: SnapshotShelf) -> Snapshot:
    try:
        return shelf.newest()
    except MissingPartitionError as error:
        abort(404, str(error))


def _first_of(month: str) -> date:
    return _day_of(f"{month}-01")


def _day_of(day: str) -> date:
    try:
        return date.fromisoformat(day)
    except ValueError:
        abort(404, f"'{day}' is no day such as 2024-12-31.")


def _json(content: dict[str, Any]) -> Response:
    return _answer(json.dumps(content, separators=(",", ":")).encode(), "application/json")


def _answer(content: bytes, media_type: str) -> Response:
    response = Response(content, mimetype=media_type)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response.set_data(gzip.compress(content, compresslevel=1, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = "no-cache"
    return response


def file_to_keep(content: bytes, media_type: str, name: str, stage: str = PUBLISHED) -> Response:
    """A file to keep, whose name says what is not published: it is passed on without its page."""
    response = Response(content, mimetype=media_type)
    name = name if stage == PUBLISHED else f"DRAFT_{name}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-cache"
    return response


def case_counts(snapshot: Snapshot) -> dict[str, dict[str, tuple[int | None, str]]]:
    """Verified cases of the period that holds each month (`2024-12`), by borough, and its name.

    The count is None where it is hidden (k = 11).
    """
    found: dict[str, dict[str, tuple[int | None, str]]] = {}
    rows = snapshot.read(VERIFIED_CASE_COUNTS).filter(pl.col("period_on").is_not_null())
    for borough, start, months, count in rows.select(
        "borough", "period_on", "months_count", "cases_count"
    ).iter_rows():
        named = count, in_words(start, months)
        by_month = found.setdefault(str(borough).lower(), {})
        by_month |= {f"{start.year}-{start.month + i:02}": named for i in range(months)}
    return found


def day_rows(snapshot: Snapshot, day: date) -> pl.DataFrame:
    """Risk of one day with each cell's place, in order of rank."""
    return snapshot.query(
        "select r.*, c.precinct, c.borough, c.lon, c.lat, c.x_m, c.y_m, s.spread_ratio "
        "from predictions.cell_day_risk r join grid.cells c using (cell_id) "
        "left join published.model_spread s on s.cell_id = r.cell_id and s.risk_on = r.risk_on "
        "where r.risk_on = ? order by r.rank",
        [day],
    )


def staged(snapshot: Snapshot, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with their `review_stage`: of their day where they have one, else of the snapshot."""
    stage = pl.lit(snapshot.stage)
    if "risk_on" in frame.columns:
        by_day = {day: found.stage for day, found in snapshot.stages.items()}
        stage = pl.col("risk_on").replace_strict(by_day, default=DRAFT, return_dtype=pl.String)
    return frame.with_columns(stage.alias("review_stage"))


def _risk_csv(snapshot: Snapshot, rows: pl.DataFrame) -> bytes:
    origin = pl.lit(snapshot.header.data_origin).alias("data_origin")
    return csv_for_people(staged(snapshot, rows).with_columns(origin)).encode()


def _risk_geojson(snapshot: Snapshot, rows: pl.DataFrame) -> bytes:
    return _frame_geojson(snapshot, _on_ground(snapshot, staged(snapshot, rows)))


def _risk_geopackage(snapshot: Snapshot, rows: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    _on_ground(snapshot, staged(snapshot, rows)).to_file(target, layer="risk", driver="GPKG")
    return target.getvalue()


_RISK_FILES: dict[str, tuple[Callable[[Snapshot, pl.DataFrame], bytes], str]] = {
    "csv": (_risk_csv, "text/csv"),
    "geojson": (_risk_geojson, "application/geo+json"),
    "gpkg": (_risk_geopackage, "application/geopackage+sqlite3"),
}


def _on_ground(snapshot: Snapshot, rows: pl.DataFrame) -> Any:
    """Rows with `x_m` and `y_m` as squares, a GeoDataFrame in longitude and latitude."""
    import geopandas as gpd
    import shapely

    half = snapshot.header.cell_size_m / 2
    x, y = rows["x_m"].to_numpy(), rows["y_m"].to_numpy()
    squares = shapely.box(x - half, y - half, x + half, y + half)
    columns = rows.drop("x_m", "y_m").to_dict(as_series=False)
    placed = gpd.GeoDataFrame(columns, geometry=squares, crs=snapshot.header.crs).to_crs(_WGS84)
    return placed.assign(data_origin=snapshot.header.data_origin)


def _frame_geojson(snapshot: Snapshot, placed: Any) -> bytes:
    # Seven digits are a centimetre; RFC 7946 asks for longitude and latitude and nothing else.
    placed = placed.set_geometry(placed.geometry.set_precision(1e-7))
    text: str = placed.to_json(drop_id=True, default=str)
    return text.encode()


def places_geojson(snapshot: Snapshot, frame: pl.DataFrame) -> bytes:
    """A table by cell, by precinct, by centre or with outlines as GeoJSON; by precinct the newest day.

    Raises
    ------
    LookupError
        Where no column of the table is a place.
    """
    import geopandas as gpd
    import shapely

    if _GEOMETRY in frame.columns:
        shapes = shapely.from_wkb(frame[_GEOMETRY].to_numpy())
        columns = frame.drop(_GEOMETRY).to_dict(as_series=False)
        return _frame_geojson(snapshot, gpd.GeoDataFrame(columns, geometry=shapes, crs=_WGS84))
    if "cell_id" in frame.columns:
        centres = snapshot.table("grid.cells").select("cell_id", "x_m", "y_m")
        rows = frame.drop([c for c in ("x_m", "y_m") if c in frame.columns])
        return _frame_geojson(snapshot, _on_ground(snapshot, rows.join(centres, on="cell_id")))
    if precincts := [c for c in ("precinct", "place") if c in frame.columns]:
        return places_geojson(snapshot, _with_outlines(snapshot, frame, precincts[0]))
    if {"lon", "lat"} <= set(frame.columns):
        points = shapely.points(frame["lon"].to_numpy(), frame["lat"].to_numpy())
        columns = frame.to_dict(as_series=False)
        return _frame_geojson(snapshot, gpd.GeoDataFrame(columns, geometry=points, crs=_WGS84))
    raise LookupError("This table has no places; it comes as CSV.")


def _with_outlines(snapshot: Snapshot, frame: pl.DataFrame, precinct: str) -> pl.DataFrame:
    """Rows of precincts with the precincts' outlines; of a table with days of risk the newest day.

    Every day again would repeat every outline.
    """
    if "risk_on" in frame.columns:
        frame = frame.filter(pl.col("risk_on") == pl.col("risk_on").max())
    outlines = snapshot.read(PRECINCTS).select(pl.col("precinct").alias("_number"), _GEOMETRY)
    number = pl.col(precinct).cast(pl.Int32, strict=False).alias("_number")
    return frame.with_columns(number).join(outlines, on="_number").drop("_number")


def _without_geometry(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.drop(_GEOMETRY) if _GEOMETRY in frame.columns else frame
