"""Reported offences from a folder of NIBRS deliveries: files merged beforehand, or the FBI's own.

Belongs here: unpacking a delivery, joining its files, and the account of every row. Does not: what
a file says row by row (`nibrs_files`, `police_agencies`), which file is which (`layouts`).

An offence is kept where its incident, its code, its agency and, if it names one, its kind of place
are known; else it is refused with the reason, like a row that breaks a rule of its own. An incident is
kept where an offence of it is.
"""

from __future__ import annotations

import csv
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from htrisk_dagster.errors import SourceError
from htrisk_dagster.schemas import nibrs, raw
from htrisk_dagster.schemas.raw_incidents import PROVENANCE
from htrisk_dagster.sources import intake, layouts
from htrisk_dagster.sources.file_content import decode, require_size, require_unpacked
from htrisk_dagster.sources.intake import Intake
from htrisk_dagster.study_areas.area import BoundingBox

TABLE = nibrs.REPORTED_OFFENCES
_YEAR = pl.col("occurred_on").dt.year().alias("year")
_FILES = (*(t.name for t in nibrs.DELIVERED_TABLES), nibrs.POLICE_AGENCIES.name)
# What `zipfile` raises over an archive that is cut, torn, locked by a password or packed in a way of its own.
_BROKEN = (OSError, EOFError, zipfile.BadZipFile, zlib.error, csv.Error, RuntimeError)
# Rule to the publisher's column, ours that has its value, and the reason.
_LOST = {
    "incident_absent": ("INCIDENT_ID", "incident_id", "No incident of this number was kept."),
    "offence_unknown": (
        "OFFENSE_CODE", "offence_type", "The offence stands in no list of offence codes."
    ),
    "location_unknown": (
        "LOCATION_ID", "location_id", "The kind of place stands in no list of kinds of place."
    ),
    "agency_unknown": (
        "AGENCY_ID", "agency_id", "The agency stands in no file of agencies of this state."
    ),
    "year_covered": (
        "INCIDENT_DATE", "incident_id", "The FBI's own files have the agency's year: they are used."
    ),
    "no_offence": ("INCIDENT_ID", "incident_id", "No offence of this incident was kept."),
    "other_state": ("STATE_ABBR", "state", "The agency is of another state."),
}  # fmt: skip


def read_agencies(folder: Path, *, state: str, time_zone: str, bounding_box: BoundingBox) -> Intake:
    """Read `nibrs.police_agencies` of a state from every delivery in `folder`, zipped or not.

    Parameters and errors are those of `read_offences`; agencies of other states are refused.
    """
    with unpacked(folder) as files:
        read = _read(nibrs.POLICE_AGENCIES.name, files, time_zone, bounding_box)
    is_other = pl.col("state") != state
    judged = read.kept.with_columns(pl.when(is_other).then(pl.lit("other_state")).alias("rule"))
    name = nibrs.POLICE_AGENCIES.name
    return _accounted(read.kept.filter(~is_other), {name: read}, {name: judged})


def read_offences(folder: Path, *, state: str, time_zone: str, bounding_box: BoundingBox) -> Intake:
    """Read `nibrs.reported_offences` from every delivery in `folder`, zipped or not.

    Parameters
    ----------
    folder : Path
        Folder of deliveries: merged files, the FBI's files by themselves, or its zips.
    state : str
        Two letters: offences of agencies of other states are refused.
    time_zone, bounding_box
        As in `intake.read`; a NIBRS row has neither instant nor point.

    Returns
    -------
    Intake
        Rows by incident; rows read are rows kept plus rows refused in each file.

    Raises
    ------
    SourceError
        Where the folder does not exist, a file is unusable as a whole, there are incidents but no
        offences (or the reverse), or no list of offence codes or of agencies.
    """
    with unpacked(folder) as files:
        read = {name: _read(name, files, time_zone, bounding_box) for name in _FILES}
    agencies = read.pop(nibrs.POLICE_AGENCIES.name).kept.filter(state=state)["agency_id"].unique()
    _require_whole(folder, read, has_agencies=len(agencies) > 0)
    merged, incidents = (read[t.name].kept for t in (nibrs.NIBRS_MERGED, nibrs.NIBRS_INCIDENTS))
    known = pl.col("agency_id").is_in(agencies.implode())
    own = _joined(read).with_columns(_first(("agency_unknown", ~known)))
    covered = own.filter(pl.col("rule").is_null()).select("agency_id", _YEAR).unique()
    merged = (
        merged.with_columns(_YEAR)
        .join(covered.with_columns(is_covered=True), on=["agency_id", "year"], how="left",
              maintain_order="left")
        .with_columns(pl.lit(None, pl.String).alias("rule"))
        .with_columns(_first(("agency_unknown", ~known), ("year_covered", pl.col("is_covered"))))
    )  # fmt: skip
    good = pl.concat(
        rows.filter(pl.col("rule").is_null()).select(TABLE.column_names) for rows in (own, merged)
    ).sort("agency_id", "occurred_on", "incident_id", "source_file", "source_row")
    bare = incidents.join(good, on="incident_id", how="anti").with_columns(
        rule=pl.lit("no_offence")
    )
    lost = {"nibrs_offences": own, "nibrs_merged": merged, "nibrs_incidents": bare}
    return _accounted(TABLE.conform(good), read, lost)


def delivery_files(folder: Path) -> list[Path]:
    """Files in `folder` and below it that belong to a delivery, in order of path: what to fingerprint."""
    found = {path for name in _FILES for path in layouts.find_files(folder, name)}
    return sorted(found | set(_zips(folder)))


@contextmanager
def unpacked(folder: Path) -> Iterator[Path]:
    """Give a folder in which zips are folders, of the members that are read; `folder` if it has none.

    Other members, victims and offenders among them, never leave the zip. Each has the zip's day.
    """
    zips = _zips(folder)
    if not zips:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="htrisk-nibrs-") as temporary:
        root = Path(temporary)
        for path in folder.rglob("*"):
            if path.is_file() and path not in zips and not path.name.startswith("."):
                beside = root / path.relative_to(folder)
                beside.parent.mkdir(parents=True, exist_ok=True)
                beside.symlink_to(path.absolute())
        for path in zips:
            _unpack(path, root / path.relative_to(folder))
        yield root


def _zips(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.zip") if not p.name.startswith("."))


def _unpack(path: Path, into: Path) -> None:
    day = path.stat().st_mtime
    require_size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                # Absolute names and ".." are made harmless by `extract`.
                if member.filename.lower().endswith(".csv") and _is_read(archive, member):
                    # No more than the size that is said is ever unpacked.
                    require_unpacked(path, member.file_size, member.compress_size)
                    file = archive.extract(member, into)
                    os.utime(file, (day, day))
    except _BROKEN as error:
        raise SourceError(
            f"{path} cannot be unpacked ({str(error).splitlines()[0] if str(error) else 'cut short'}). "
            "Fetch it again, or take it out of the folder."
        ) from error


def _is_read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with archive.open(member) as handle:
        line = decode(handle.read(1 << 16)).partition("\n")[0]
    names = {layouts.normalise(name) for name in next(csv.reader([line]), [])}
    return any(names.issuperset(layouts.LAYOUTS[name].expected("CSV")) for name in _FILES)


def _read(name: str, folder: Path, time_zone: str, bounding_box: BoundingBox) -> Intake:
    return intake.read(name, folder, time_zone=time_zone, bounding_box=bounding_box)


def _require_whole(folder: Path, read: dict[str, Intake], *, has_agencies: bool) -> None:
    """A file that a delivery cannot do without must be there, whatever its rows."""
    there = {name for name, of_table in read.items() if of_table.files.height}
    needed: set[str] = set()
    if there & {"nibrs_incidents", "nibrs_offences"}:
        needed = {"nibrs_incidents", "nibrs_offences", "nibrs_offence_types"}
        if read["nibrs_offences"].kept["location_id"].is_not_null().any():
            needed.add("nibrs_locations")
    missing = sorted(needed - there) + (["police_agencies"] if not has_agencies and there else [])
    if missing:
        raise SourceError(
            f"{folder} holds a NIBRS delivery without a usable file of {', '.join(missing)}. Bring all "
            "files of the FBI's zip there, or the zip itself."
        )


def _joined(read: dict[str, Intake]) -> pl.DataFrame:
    """Offences of the FBI's files with incident and labels; `rule` names the join that failed."""
    types = read["nibrs_offence_types"].kept
    by_code = types.select("nibrs_code", "offence", "offence_category", offence_type="nibrs_code")
    by_number = types.drop_nulls("offence_type_id").select(
        "nibrs_code", "offence", "offence_category", offence_type="offence_type_id"
    )
    provenance = [column.name for column in PROVENANCE]
    incidents = read["nibrs_incidents"].kept.drop(provenance)
    places = read["nibrs_locations"].kept.drop(provenance)
    return (
        read["nibrs_offences"]
        .kept.join(incidents, on="incident_id", how="left", maintain_order="left")
        .join(pl.concat([by_code, by_number]), on="offence_type", how="left", maintain_order="left")
        .join(places, on="location_id", how="left", maintain_order="left")
        .with_columns(
            pl.lit(value=False).alias("is_incident_derived"), pl.lit(None, pl.String).alias("rule")
        )
        .with_columns(
            _first(
                ("incident_absent", pl.col("agency_id").is_null()),
                ("offence_unknown", pl.col("offence").is_null()),
                (
                    "location_unknown",
                    pl.col("location_id").is_not_null() & pl.col("location").is_null(),
                ),
            )
        )
    )


def _first(*rules: tuple[str, pl.Expr]) -> pl.Expr:
    """The rule a row broke already, or the first of `rules` that it breaks."""
    broken = [pl.when(is_broken).then(pl.lit(rule)) for rule, is_broken in rules]
    return pl.coalesce("rule", *broken).alias("rule")


def _accounted(
    kept: pl.DataFrame, read: dict[str, Intake], judged: dict[str, pl.DataFrame]
) -> Intake:
    """Add the rows that no join kept to the refused ones, and take them from the kept ones."""
    shown = sorted({ours for _, ours, _ in _LOST.values()})
    lost = pl.concat(
        rows.filter(pl.col("rule").is_not_null()).select(
            pl.lit(source).alias("source"),
            *("source_file", "source_row", "rule", "pulled_on"),
            *(pl.col(n) if n in rows.columns else pl.lit(None, pl.String).alias(n) for n in shown),
        )
        for source, rows in judged.items()
    )
    by_rule = [pl.when(pl.col("rule") == r).then(pl.col(ours)) for r, (_, ours, _) in _LOST.items()]
    lost = lost.with_columns(
        pl.col("rule").replace_strict({r: c for r, (c, _, _) in _LOST.items()}).alias("column"),
        pl.col("rule").replace_strict({r: why for r, (*_, why) in _LOST.items()}).alias("reason"),
        pl.coalesce(by_rule).alias("value"),
    )
    n_lost = lost.group_by("source", "source_file").agg(pl.len().cast(pl.Int64).alias("lost"))
    files = pl.concat(of_table.files for of_table in read.values())
    files = files.join(
        n_lost, on=["source", "source_file"], how="left", maintain_order="left"
    ).with_columns(
        pl.col("rows_kept_count") - pl.col("lost").fill_null(0),
        pl.col("rows_quarantined_count") + pl.col("lost").fill_null(0),
    )
    refused = [of_table.quarantined for of_table in read.values()]
    lost = lost.select(raw.QUARANTINE.column_names)
    return Intake(kept, raw.QUARANTINE.conform(pl.concat([*refused, lost])),
                  raw.INTAKE.conform(files))  # fmt: skip
