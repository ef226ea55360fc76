"""Fold sets as NPZ, Parquet and CSV files, and back: equal to the bit, or refused.

Belongs here: the three formats, how each carries the header, and the check of the digest. Does
not: what a fold set is (`exchange`).

All that varies with the number of days is written and hashed in stretches, so a set of two years
needs no second copy of its features in memory. The same set gives the same bytes.

* NPZ, for NumPy: `features` (D, C, F), `sequences` (D, C, 7, N), `labels` (K, D, C), `days`,
  `precinct_index`, `borough_index`, and the member `header.json`.
* Parquet: a row a cell and day, the header in the file's metadata under `htrisk_folds`.
* CSV: the same rows, the header as one comment line that starts with `#`.

In the tables a missing value is NaN; a sequence is the columns `<channel>_lag_7` to `_lag_1`.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import SourceError
from htrisk_dagster.evaluation.exchange import (
    FORMAT,
    FoldSet,
    canonical_json,
    from_header,
    plain_bytes,
)
from htrisk_dagster.features.sequences import sequence_columns
from htrisk_dagster.warehouse.partitions import replaced_whole

METADATA_KEY = "htrisk_folds"
HEADER_MEMBER = "header.json"
_INDEX = ("risk_on", "cell_id", "precinct_index", "borough_index")
# Rows of a month are a row group of some 100,000 rows for a city: what readers like best.
_STRETCH_DAYS = 28
# The first date a ZIP can hold, as NumPy writes it: no time of day in the bytes.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def write_fold_set(data: FoldSet, path: Path) -> str:
    """Write `data` to `path` in the format of its suffix; return the digest.

    The file is written beside and then takes its place.

    Raises
    ------
    SourceError
        Where the suffix is none of .npz, .parquet and .csv.
    """
    write = _format_of(path)[0]
    digest = data.digest()
    header = canonical_json({**data.header(), "sha256": digest})
    with replaced_whole(path) as beside:
        write(data, header, beside)
    return digest


def read_fold_set(path: Path) -> FoldSet:
    """Read the file of `write_fold_set`, and check that it is what was written.

    Raises
    ------
    SourceError
        Where the file is absent, of another kind, or has been altered since.
    """
    read = _format_of(path)[1]
    if not path.is_file():
        raise SourceError(f"There is no file {path}. Make it with `htrisk export`.")
    try:
        text, arrays = read(path)
        header = json.loads(text)
        if header.get("format") != FORMAT:
            raise ValueError(f"its format is {header.get('format')!r}, not {FORMAT!r}")
        wanted = header.pop("sha256")
        data = from_header(header, *arrays(header))
        if canonical_json(data.header()) != canonical_json(header):
            raise ValueError("its header does not describe its content")
    except (
        ValueError, KeyError, TypeError, zipfile.BadZipFile, pl.exceptions.PolarsError, OSError
    ) as error:  # fmt: skip
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(
            f"{path} cannot be read as an export of htrisk: {reason}. Export it again."
        ) from error
    found = data.digest()
    if found != wanted:
        raise SourceError(
            f"{path} has been altered since it was exported: its content has the SHA-256 "
            f"{found[:12]}…, its header says {str(wanted)[:12]}…. Export it again."
        )
    return data


Arrays = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]
"""Features, labels, precinct and borough codes."""
_Write = Callable[[FoldSet, str, Path], None]
_Read = Callable[[Path], tuple[str, Callable[[dict[str, Any]], Arrays]]]


def _format_of(path: Path) -> tuple[_Write, _Read]:
    formats: dict[str, tuple[_Write, _Read]] = {
        ".npz": (_write_npz, _read_npz),
        ".parquet": (_write_parquet, _read_parquet),
        ".csv": (_write_csv, _read_csv),
    }
    if path.suffix not in formats:
        raise SourceError(
            f"{path} has the suffix '{path.suffix}'; an export is one of {', '.join(formats)}."
        )
    return formats[path.suffix]


def _write_npz(data: FoldSet, header: str, path: Path) -> None:
    block, lag_index = data.block, sequence_columns(data.block.names).lag_index
    shape = (block.n_days, block.n_cells)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with _member(archive, HEADER_MEMBER) as member:
            member.write(header.encode())
        with _array(archive, "features", "<f4", (*shape, len(block.names))) as member:
            for day in range(block.n_days):
                member.write(plain_bytes(block.features[day]))
        with _array(archive, "sequences", "<f4", (*shape, *lag_index.shape)) as member:
            for day in range(block.n_days):
                member.write(plain_bytes(data.sequences(day)))
        with _array(archive, "labels", "<f4", data.labels.shape) as member:
            for of_fold in data.labels:
                member.write(plain_bytes(of_fold))
        for name, values in (
            ("days", block.days.astype("<M8[D]")),
            ("precinct_index", block.precinct_index.astype("<i4")),
            ("borough_index", block.borough_index.astype("<i4")),
        ):
            with _array(archive, name, values.dtype.str, values.shape) as member:
                member.write(values.tobytes())


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    info = zipfile.ZipInfo(name, date_time=_ZIP_DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    return archive.open(info, "w", force_zip64=True)


def _array(archive: zipfile.ZipFile, name: str, dtype: str, shape: tuple[int, ...]) -> IO[bytes]:
    """Open an array member for its values, the header of NumPy's format written."""
    member = _member(archive, f"{name}.npy")
    described = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, described)
    return member


def _read_npz(path: Path) -> tuple[str, Callable[[dict[str, Any]], Arrays]]:
    with np.load(path, allow_pickle=False) as archive:
        if HEADER_MEMBER not in archive.files:
            raise ValueError(f"it has no member '{HEADER_MEMBER}'")
        text = bytes(archive[HEADER_MEMBER]).decode()

    def arrays(header: dict[str, Any]) -> Arrays:
        with np.load(path, allow_pickle=False) as stored:
            features = stored["features"]
            days = np.datetime64(header["first_day"]) + np.arange(header["n_days"])
            if not np.array_equal(stored["days"], days):
                raise ValueError("its days are not those of its header")
            lag_index = sequence_columns([f["name"] for f in header["features"]]).lag_index
            sequences = stored["sequences"]
            if len(sequences) != len(features) or not all(
                plain_bytes(of_day) == plain_bytes(features[day][:, lag_index])
                for day, of_day in enumerate(sequences)
            ):
                raise ValueError("its sequences have been altered: they are not its lags")
            return (
                features, stored["labels"], stored["precinct_index"], stored["borough_index"]
            )  # fmt: skip

    return text, arrays


def _stretches(data: FoldSet) -> Iterator[pl.DataFrame]:
    """Rows of the set, a stretch of days at a time."""
    block = data.block
    for start in range(0, block.n_days, _STRETCH_DAYS):
        part = slice(start, start + _STRETCH_DAYS)
        days = block.days[part]
        features = block.features[part].reshape(-1, len(block.names))
        yield pl.DataFrame(
            {
                "risk_on": np.repeat(days, block.n_cells),
                "cell_id": np.tile(np.arange(block.n_cells, dtype=np.int32), len(days)),
                "precinct_index": np.tile(block.precinct_index, len(days)),
                "borough_index": np.tile(block.borough_index, len(days)),
                **{name: features[:, i] for i, name in enumerate(block.names)},
                **{f"fold_{k}_count": of[part].ravel() for k, of in enumerate(data.labels)},
            }
        ).with_columns(pl.selectors.float().fill_nan(None))


def _write_parquet(data: FoldSet, header: str, path: Path) -> None:
    import pyarrow.parquet as pq

    writer: Any = None
    for frame in _stretches(data):
        table = frame.to_arrow()
        if writer is None:
            schema = table.schema.with_metadata({METADATA_KEY: header})
            writer = pq.ParquetWriter(path, schema, compression="zstd")
        writer.write_table(table)
    writer.close()


def _read_parquet(path: Path) -> tuple[str, Callable[[dict[str, Any]], Arrays]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path).metadata or {}
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error
    text = bytes(metadata.get(METADATA_KEY.encode(), b"")).decode()
    if not text:
        raise ValueError(f"its metadata has no '{METADATA_KEY}'")
    return text, lambda header: _arrays(pl.read_parquet(path, glob=False), header)


def _write_csv(data: FoldSet, header: str, path: Path) -> None:
    with path.open("wb") as handle:
        handle.write(f"# {header}\n".encode())
        for index, frame in enumerate(_stretches(data)):
            frame.write_csv(handle, include_header=index == 0)


def _read_csv(path: Path) -> tuple[str, Callable[[dict[str, Any]], Arrays]]:
    with path.open(encoding="utf-8") as handle:
        first = handle.readline()
    if not first.startswith("# "):
        raise ValueError("its first line is not the header, which starts with '# '")

    def arrays(header: dict[str, Any]) -> Arrays:
        floats = [f["name"] for f in header["features"]]
        floats += [f"fold_{k}_count" for k in range(len(header["folds"]))]
        schema = {"risk_on": pl.Date, **dict.fromkeys(_INDEX[1:], pl.Int32)}
        frame = pl.read_csv(
            path, comment_prefix="#", schema=pl.Schema(schema | dict.fromkeys(floats, pl.Float32)),
        )  # fmt: skip
        return _arrays(frame, header)

    return first[2:], arrays


def _arrays(frame: pl.DataFrame, header: dict[str, Any]) -> Arrays:
    """Dense arrays from rows, which must be every cell of every day in order."""
    n_days, n_cells, n_folds = header["n_days"], header["n_cells"], len(header["folds"])
    names = [f["name"] for f in header["features"]]
    labels = [f"fold_{k}_count" for k in range(n_folds)]
    if frame.columns != [*_INDEX, *names, *labels]:
        raise ValueError("its columns are not those of its header")
    days = np.datetime64(header["first_day"]) + np.arange(n_days)
    codes = {c: frame[c].to_numpy() for c in _INDEX[1:]}
    first = {c: values[:n_cells].astype(np.int32) for c, values in codes.items()}
    in_order = np.array_equal(frame["risk_on"].to_numpy(), np.repeat(days, n_cells))
    in_order &= np.array_equal(first["cell_id"], np.arange(n_cells))
    in_order &= all(np.array_equal(codes[c], np.tile(first[c], n_days)) for c in codes)
    if not in_order:
        raise ValueError("its rows are not every cell of every day in order")
    features = np.empty((n_days * n_cells, len(names)), dtype=np.float32)
    for i, name in enumerate(names):
        features[:, i] = frame[name].fill_null(float("nan")).to_numpy()
    counts = [frame[c].fill_null(float("nan")).to_numpy().reshape(n_days, n_cells) for c in labels]
    return (
        features.reshape(n_days, n_cells, len(names)),
        np.stack(counts).astype(np.float32),
        first["precinct_index"],
        first["borough_index"],
    )
