from __future__ import annotations

import gzip
import os
import tracemalloc
from pathlib import Path

import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources import file_content
from htrisk_dagster.sources.file_content import decode, read_content, read_lines
from htrisk_dagster.sources.layouts import read_header


def test_a_line_of_ten_gigabytes_is_refused_before_it_is_read(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"A,B\n1,2")
    os.truncate(path, 10_000_000_000)  # a hole: no disk is used
    tracemalloc.start()
    with pytest.raises(SourceError, match=r"a\.csv has 10\.0 GB"):
        read_content(path)
    with pytest.raises(SourceError, match=r"a\.csv has 10\.0 GB"):
        read_header(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_zip_bomb_is_refused_while_it_is_unpacked(tmp_path: Path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"A,B\n") + gzip.compress(b"0" * (128 << 20)))
    tracemalloc.start()
    with pytest.raises(SourceError, match="made to fill memory"):
        read_content(path)
    assert tracemalloc.get_traced_memory()[1] < 80 << 20
    tracemalloc.stop()


def test_real_packing_is_far_from_the_limit(tmp_path: Path):
    rows = b"".join(b"%d,03/01/2024,BRONX,40.7%d\n" % (i, i) for i in range(200_000))
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"A,B,C,D\n" + rows))
    assert read_content(path, has_lines=True).count(b"\n") == 200_001


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b""])
def test_a_line_longer_than_a_megabyte_is_refused(tmp_path: Path, end: bytes, monkeypatch):
    monkeypatch.setattr(file_content, "_CHUNK", 300)
    monkeypatch.setattr(file_content, "LONGEST_LINE_BYTES", 1000)
    path = tmp_path / "a.csv"
    line_end = end or b"\n"
    path.write_bytes(b"A" + line_end + b"x" * 1000 + line_end + b"y" * 999 + end)
    assert len(read_content(path, has_lines=True)) > 2000
    path.write_bytes(b"A" + line_end + b"x" * 1001 + end)
    with pytest.raises(SourceError, match="has a line of more than 1,000 bytes"):
        read_content(path, has_lines=True)
    assert len(read_content(path)) > 1000  # JSON is one line


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_decoded_by_its_mark(encoding: str):
    assert decode("A,é\n1,€\n".encode(encoding)) == "A,é\n1,€\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_the_text_in_parts(tmp_path: Path, encoding: str, end: str, monkeypatch):
    monkeypatch.setattr(file_content, "_CHUNK", 5)
    monkeypatch.setattr(file_content, "_BATCH", 12)
    path = tmp_path / "a.csv"
    path.write_bytes(end.join(["A,é", *("1,ü" * n for n in range(9)), ""]).encode(encoding))
    parts = list(read_lines(path))
    assert b"".join(parts).decode() == decode(path.read_bytes())
    assert all(part.endswith(b"\n") for part in parts[:-1])
    assert len(parts) > 1 or encoding.startswith(("utf-16", "utf-32")) or end == "\r"


def test_lost_letters_and_old_line_ends():
    assert decode(b"a\xe9b\n") == "a\ufffdb\n"
    assert decode(b"A,B\r1,2\r") == "A,B\n1,2\n"


@pytest.mark.parametrize(
    ("content", "holds"),
    [
        (b"PK\x03\x04rest", "a ZIP archive or a spreadsheet"),
        (b"\x1f\x8brest", "something packed by gzip"),
        (b"  <!DOCTYPE html>", "a web page"),
        (b'\xef\xbb\xbf[{"a": 1}]', "JSON"),
        (b"A\0,\0B\0\n\0", "NUL bytes"),
    ],
)
def test_what_a_file_is_not_is_said(tmp_path: Path, content: bytes, holds: str):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=f"is called CSV, but holds {holds}.*in UTF-8"):
        read_header(path)
