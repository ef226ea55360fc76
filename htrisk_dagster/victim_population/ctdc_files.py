"""CTDC's files: which file is one, in which layout, and its rows as text.

Belongs here: recognising a release by its header, spellings of its columns, reading it whole.
Does not: what a value means (`recode`).

Three headers are in circulation and all are read: the k-anonymised global data set (58 columns
with `Datasource`), the first synthetic release (37 columns, names cut after 32 characters) and the
later ones (26 or 27 columns, in which eight `means...` columns stand for sixteen).

A release holds the records of the release before it, and no record has an identifier. Files are
therefore never added up: one file is read.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import polars as pl

from htrisk_dagster.errors import SourceError
from htrisk_dagster.schemas.table import Column
from htrisk_dagster.schemas.victim_population import GROUPED, INDICATORS, RECORDS
from htrisk_dagster.sources.file_content import decode, files_below, open_file, read_content

Layout = Literal["k_anonymised", "synthetic"]
SUFFIXES = (".csv", ".csv.gz")
# Columns that every layout has; by them a file is taken for CTDC's.
REQUIRED = (
    "yearOfRegistration", "gender", "ageBroad", "citizenship", "CountryOfExploitation",
    "isForcedLabour", "isSexualExploit", "isOtherExploit",
)  # fmt: skip
# A file with these two is CTDC's; if it then lacks another, that is an error and not another file.
_MARKS = ("yearOfRegistration", "CountryOfExploitation")

# Later releases: another name for the same indicator.
RENAMED = {
    "meansThreats": "meansOfControlThreats",
    "meansFalsePromises": "meansOfControlFalsePromises",
    "meansDrugsAlcohol": "meansOfControlPsychoactiveSubstances",
    "meansExcessiveWorkHours": "meansOfControlExcessiveWorkingHours",
    "meansWithholdDocs": "meansOfControlWithholdsDocuments",
    **{
        name.replace("typeOf", "sectorOf"): name
        for name in INDICATORS
        if name.startswith(("typeOfLabour", "typeOfSex"))
    },
}
_LONGEST_HEADER = 1 << 16  # bytes
_CUT_AFTER = 32  # characters a name keeps in the first synthetic release


@dataclass(frozen=True)
class CtdcFile:
    """One release, as published.

    Parameters
    ----------
    path : Path
        The file.
    layout : str
        `k_anonymised` where the data source of each record is given, else `synthetic`.
    rows : DataFrame
        Every row and column of the file as text, null where blank.
    columns : dict of str to str
        Publisher's name of a column of `RECORDS` to the file's name for it.
    groups : dict of str to str
        Indicator to the file's column that answers for it together with others.
    """

    path: Path
    layout: Layout
    rows: pl.DataFrame
    columns: dict[str, str]
    groups: dict[str, str]

    @property
    def last_year(self) -> int:
        """Last year that the file can speak of: that of its day, UTC."""
        return datetime.fromtimestamp(self.path.stat().st_mtime, UTC).year

    @property
    def unread(self) -> list[str]:
        """Columns of the file that no column of `RECORDS` is made from."""
        used = {*self.columns.values(), *self.groups.values()}
        return [name for name in self.rows.columns if name not in used]

    def parts_of(self, group: str) -> list[str]:
        """The file's columns that tell the parts of a group: none where it has the group's own."""
        if group in self.columns:
            return []
        return [self.columns[part] for part in GROUPED.get(group, ()) if part in self.columns]


@dataclass(frozen=True)
class Release:
    """The file that was read, and a sentence for each that was left aside."""

    file: CtdcFile
    left_aside: tuple[str, ...]


def read_release(folder: Path, layout: Layout | None = None) -> Release:
    """Read the CTDC file of a folder: of several, the one with the most records.

    Parameters
    ----------
    folder : Path
        Searched with its subfolders for `.csv` and `.csv.gz`; other files are passed over.
    layout : str or None
        Take only files of this layout.

    Raises
    ------
    SourceError
        Where there is no folder, no such file in it, or a CTDC file that cannot be read.
    """
    if not folder.is_dir():
        raise SourceError(f"There is no folder {folder}. Set the folder of CTDC's files.")
    paths = [path for path in files_below(folder) if path.name.lower().endswith(SUFFIXES)]
    files = [read_file(path) for path in paths if is_ctdc(path)]
    files = [file for file in files if layout in (None, file.layout)]
    if not files:
        wanted = "CTDC file" if layout is None else f"CTDC file of the {layout} layout"
        raise SourceError(
            f"{folder} holds no {wanted} among its {len(paths)} .csv and .csv.gz files. "
            f"One is known by the columns {', '.join(_MARKS)} in its first line."
        )
    # sorted() keeps the order of paths among equals, so the choice is the same every time.
    chosen, *others = sorted(files, key=lambda file: -file.rows.height)
    return Release(
        chosen,
        tuple(
            f"{file.path} ({file.layout}, {file.rows.height} records) was left aside for "
            f"{chosen.path.name}: releases repeat each other's records and are never added up."
            for file in others
        ),
    )


def is_ctdc(path: Path) -> bool:
    """Whether the first line has the two columns by which CTDC's files are known."""
    try:
        with open_file(path) as handle:
            first = decode(handle.read(_LONGEST_HEADER)).partition("\n")[0]
    except (OSError, EOFError, zlib.error):
        return False
    names = {name.strip().strip('"').lower() for name in first.split(",")}
    return all(mark.lower() in names for mark in _MARKS)


def read_file(path: Path) -> CtdcFile:
    """Read one release whole.

    Raises
    ------
    SourceError
        Where the file was cut short or breaks a limit of `file_content`, a row has a field too many or
        too few or no value at all, a column repeats, a required column is missing, or there is no record.
    """
    rows = _rows(path)
    named = _published_names(path, rows.columns)
    missing = [name for name in REQUIRED if name not in named]
    if missing:
        raise SourceError(
            f"{path}: column '{missing[0]}' is missing, and with it {len(missing)} of the "
            f"{len(REQUIRED)} columns of every CTDC release. Fetch the file again."
        )
    if rows.is_empty():
        raise SourceError(f"{path} has a header and no record. Fetch the file again.")
    groups = {
        part: named[group] for group, parts in GROUPED.items() if group in named for part in parts
    }
    return CtdcFile(
        path,
        "k_anonymised" if "Datasource" in named else "synthetic",
        rows,
        named,
        {part: column for part, column in groups.items() if part not in named},
    )


def published_name(column: Column) -> str:
    """Publisher's name of what a column of `RECORDS` is made from."""
    return "ageBroad" if column.name == "age_midpoint_years" else column.source_name


def _published_names(path: Path, header: list[str]) -> dict[str, str]:
    """Publisher's name of a column, in its full and first spelling, to the file's own."""
    full = [published_name(column) for column in RECORDS.columns]
    known = {name[:_CUT_AFTER].lower(): name for name in full}
    known |= {name.lower(): name for name in full}
    known |= {name.lower(): full_name for name, full_name in RENAMED.items()}
    named: dict[str, str] = {}
    for name in header:
        full_name = known.get(name.strip().lower())
        if full_name in named:
            raise SourceError(
                f"{path}: columns '{named[full_name]}' and '{name}' both say {full_name}. "
                "Leave one of them out."
            )
        if full_name is not None:
            named[full_name] = name
    return named


def _rows(path: Path) -> pl.DataFrame:
    content = decode(read_content(path, has_lines=True)).encode()
    _refuse_ragged_rows(path, content)
    try:
        rows = pl.read_csv(io.BytesIO(content), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{path} is no readable CSV: {reason}. Fetch the file again.") from error
    _refuse_lost_values(path, content, rows)
    return rows


def _refuse_lost_values(path: Path, content: bytes, rows: pl.DataFrame) -> None:
    # A blank is "unknown" here, and so would be what a cut or a slip of the hand has taken away.
    if content.endswith(b","):
        raise SourceError(
            f"{path} ends behind a comma, without a line break: it may have been cut within its last "
            "row. Fetch the file again."
        )
    blank = rows.select(pl.all_horizontal(pl.all().is_null())).to_series().arg_true()
    if len(blank):
        raise SourceError(
            f"{path}: record {blank[0] + 1} holds no value at all, and with it {len(blank)} in all. "
            "Fetch the file again, or take the empty rows out."
        )


def _refuse_ragged_rows(path: Path, content: bytes) -> None:
    # The CSV reader fills missing fields with blanks, which would pass for "unknown".
    lines = pl.read_lines(io.BytesIO(content)).to_series()
    commas = lines.str.replace_all(r'"[^"]*"', "").str.count_matches(",", literal=True)
    wrong = ((commas != commas[0]) & (lines.str.strip_chars() != "")).arg_true()
    if len(wrong):
        row = wrong[0]
        raise SourceError(
            f"{path}: line {row + 1} has {commas[row] + 1} fields and the header {commas[0] + 1}. "
            f"{len(wrong)} lines do not fit. Fetch the file again."
        )
