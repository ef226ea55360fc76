"""Fold sets as files: equal to the bit in every format, readable without us, refused if altered."""

from __future__ import annotations

import json
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.evaluation.exchange import FoldSet
from htrisk_dagster.evaluation.exchange_files import read_fold_set, write_fold_set
from htrisk_dagster_tests.evaluation.small_fold_set import (
    N_CELLS,
    N_DAYS,
    NAMES,
    simulate,
    small_fold_set,
)

SUFFIXES = ("npz", "parquet", "csv")


@pytest.fixture(scope="module")
def data() -> FoldSet:
    return small_fold_set()


@pytest.fixture(params=SUFFIXES)
def path(request, data, tmp_path) -> Path:
    path = tmp_path / f"folds.{request.param}"
    write_fold_set(data, path)
    return path


def test_round_trip_is_equal_to_the_bit(data, path):
    found = read_fold_set(path)
    assert found.block.features.view(np.uint32).tolist() == (
        data.block.features.view(np.uint32).tolist()
    )
    np.testing.assert_array_equal(found.labels.view(np.uint32), data.labels.view(np.uint32))
    for name in ("days", "precinct_index", "borough_index"):
        wanted = getattr(data.block, name)
        np.testing.assert_array_equal(getattr(found.block, name), wanted)
        assert getattr(found.block, name).dtype == wanted.dtype
    assert (found.origin, found.catalogue, found.folds) == (data.origin, data.catalogue, data.folds)
    assert found.digest() == data.digest()


def test_the_digest_is_of_the_set_not_of_the_format(data, tmp_path):
    digests = {write_fold_set(data, tmp_path / f"a.{suffix}") for suffix in SUFFIXES}
    assert digests == {data.digest()}


def test_the_same_set_gives_the_same_bytes_and_leaves_nothing_beside(data, path):
    before = path.read_bytes()
    write_fold_set(data, path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_numpy_alone_reads_the_npz(data, tmp_path):
    write_fold_set(data, tmp_path / "folds.npz")
    with np.load(tmp_path / "folds.npz", allow_pickle=False) as z:
        header = json.loads(z["header.json"])
        sequences, features = z["sequences"], z["features"]
        assert z["labels"].shape == (2, N_DAYS, N_CELLS)
        assert str(z["days"][0]) == header["first_day"] == "2015-01-01"
    assert header["sha256"] == data.digest()
    assert (header["target"], header["known_before"]) == ("robbery", "2015-03-31")
    assert "reported before D less 1 days" in header["cutoff"]
    assert [f["name"] for f in header["features"]] == list(NAMES)
    assert header["folds"][0]["labels_known_before"] == "2015-02-26"
    assert sequences.shape == (N_DAYS, N_CELLS, 7, 1)
    columns = [day[0] for day in header["sequences"]["columns_oldest_first"]]
    assert columns == [f"target_lag_{k}" for k in range(7, 0, -1)]
    index = [NAMES.index(c) for c in columns]
    np.testing.assert_array_equal(sequences[..., 0], features[..., index])


def test_pandas_alone_reads_the_tables(data, tmp_path):
    import pandas as pd

    write_fold_set(data, tmp_path / "folds.csv")
    write_fold_set(data, tmp_path / "folds.parquet")
    csv = pd.read_csv(tmp_path / "folds.csv", comment="#")
    parquet = pd.read_parquet(tmp_path / "folds.parquet")
    header = json.loads(pq.read_metadata(tmp_path / "folds.parquet").metadata[b"htrisk_folds"])
    assert header["sha256"] == data.digest()
    assert list(csv.columns) == list(parquet.columns)
    assert list(csv.columns)[:5] == [
        "risk_on", "cell_id", "precinct_index", "borough_index", "target_lag_1",
    ]  # fmt: skip
    assert len(csv) == len(parquet) == N_DAYS * N_CELLS
    row = 40 * N_CELLS + 7
    assert csv["cell_id"][row] == parquet["cell_id"][row] == 7
    assert csv["target_mean_28"][row] == pytest.approx(data.block.column("target_mean_28")[40, 7])
    known = int(np.isfinite(data.labels[0]).sum())
    assert csv["fold_0_count"].notna().sum() == parquet["fold_0_count"].notna().sum() == known


def altered_csv(path: Path) -> None:
    text = path.read_text().splitlines()
    text[500] = text[500].replace(",0.0,", ",1.0,", 1)
    path.write_text("\n".join(text) + "\n")


def altered_parquet(path: Path) -> None:
    table = pq.read_table(path)
    frame = pl.from_arrow(table).with_columns(pl.col("fold_1_count") + 1)
    pq.write_table(frame.to_arrow().replace_schema_metadata(table.schema.metadata), path)


def altered_npz(path: Path) -> None:
    with np.load(path) as stored:
        members = {n: stored[n] for n in stored.files if n != "header.json"}
        header = bytes(stored["header.json"])
    members["labels"][0, 0, 0] += 1
    rewrite_npz(path, members, header)


def rewrite_npz(path: Path, members: dict[str, np.ndarray], header: bytes) -> None:
    np.savez(path, **members)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("header.json", header)


ALTER = {".csv": altered_csv, ".parquet": altered_parquet, ".npz": altered_npz}


def test_an_altered_file_is_refused_in_a_sentence(path):
    ALTER[path.suffix](path)
    with pytest.raises(SourceError, match="has been altered since it was exported") as refused:
        read_fold_set(path)
    assert str(refused.value).endswith("Export it again.")


def test_altered_sequences_are_refused(data, tmp_path):
    path = tmp_path / "folds.npz"
    write_fold_set(data, path)
    with np.load(path) as stored:
        members = {n: stored[n] for n in stored.files if n != "header.json"}
        header = bytes(stored["header.json"])
    rewrite_npz(path, members, header)
    read_fold_set(path)  # rewritten, not altered
    members["sequences"][10, 0, 0, 0] += 1
    rewrite_npz(path, members, header)
    with pytest.raises(SourceError, match="its sequences have been altered"):
        read_fold_set(path)


def test_a_changed_header_is_refused(path):
    """Known-before is moved by a day, in a place of the same length."""
    content = path.read_bytes()
    if path.suffix == ".npz":
        with np.load(path) as stored:
            members = {n: stored[n] for n in stored.files if n != "header.json"}
            header = bytes(stored["header.json"])
        rewrite_npz(path, members, header.replace(b"2015-03-31", b"2015-03-30"))
    elif path.suffix == ".csv":
        path.write_bytes(content.replace(b'"2015-03-31"', b'"2015-03-30"'))
    else:
        table = pq.read_table(path)
        text = table.schema.metadata[b"htrisk_folds"].replace(b"2015-03-31", b"2015-03-30")
        pq.write_table(table.replace_schema_metadata({b"htrisk_folds": text}), path)
    with pytest.raises(SourceError, match="has been altered since it was exported"):
        read_fold_set(path)


def test_rows_in_another_order_are_refused(data, tmp_path):
    path = tmp_path / "folds.parquet"
    write_fold_set(data, path)
    table = pq.read_table(path)
    pq.write_table(table.take(list(range(table.num_rows))[::-1]), path)
    with pytest.raises(SourceError, match="not every cell of every day in order"):
        read_fold_set(path)


def test_a_cut_off_file_is_refused(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(SourceError, match="cannot be read as an export of htrisk"):
        read_fold_set(path)


def test_other_files_are_refused(tmp_path, data):
    with pytest.raises(SourceError, match=r"suffix '.xlsx'; an export is one of .npz, .parquet"):
        write_fold_set(data, tmp_path / "folds.xlsx")
    with pytest.raises(SourceError, match="There is no file"):
        read_fold_set(tmp_path / "absent.npz")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="its first line is not the header"):
        read_fold_set(tmp_path / "other.csv")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(SourceError, match="its metadata has no 'htrisk_folds'"):
        read_fold_set(tmp_path / "other.parquet")
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    with pytest.raises(SourceError, match=r"it has no member 'header\.json'"):
        read_fold_set(tmp_path / "other.npz")


def test_sequences_are_streamed(tmp_path):
    """Writing needs less than a second copy of the features, not seven of the series."""
    block = simulate()
    wide = replace(
        block,
        features=np.repeat(block.features, 100, axis=1),
        precinct_index=np.repeat(block.precinct_index, 100),
        borough_index=np.repeat(block.borough_index, 100),
        counts=np.repeat(block.counts, 100, axis=1),
    )
    data = small_fold_set(wide)
    tracemalloc.start()
    write_fold_set(data, tmp_path / "folds.npz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * data.block.features.nbytes
