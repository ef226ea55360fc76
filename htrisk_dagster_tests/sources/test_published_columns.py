from __future__ import annotations

from pathlib import Path

import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources import layouts
from htrisk_dagster.sources.published_columns import NOT_READ, column_drift
from htrisk_dagster_tests.sources.published_files import (
    COMPLAINTS_24,
    REAL_FILES,
    needs_real_files,
    write_file,
)

HEADER = COMPLAINTS_24.split(",")


def test_a_layout_as_it_was_has_no_drift():
    drift = column_drift("complaints", HEADER)
    assert not drift
    assert drift.sentence == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [("BORO_NM", "BOROUGH_NAME"), ("Latitude", "LATITUDE_WGS84"), ("ADDR_PCT_CD", "PCT_CD"),
     ("LAW_CAT_CD", "LAW_CATEGORY")],
)  # fmt: skip
def test_a_renamed_column_is_named_with_the_one_that_looks_like_it(old: str, new: str):
    drift = column_drift("complaints", [new if n == old else n for n in HEADER])
    missing = layouts.normalise(old)
    assert drift.renamed == ((missing, new),)
    assert drift.sentence == f"column {missing} is missing, and '{new}' is new and looks like it"


def test_missing_and_added_columns_are_named():
    drift = column_drift("complaints", [*(n for n in HEADER if n != "KY_CD"), "Weather"])
    assert (drift.missing, drift.added, drift.renamed) == (("KY_CD",), ("Weather",), ())
    assert drift.sentence == "column KY_CD is missing; column 'Weather' is new"


def test_of_several_each_column_has_one_partner_and_the_best():
    names = [n for n in HEADER if n not in ("Latitude", "Longitude")]
    drift = column_drift("complaints", [*names, "geo_longitude", "geo_latitude"])
    assert dict(drift.renamed) == {"LATITUDE": "geo_latitude", "LONGITUDE": "geo_longitude"}


def test_a_table_whose_further_columns_are_not_known_tells_none():
    columns = [*layouts.LAYOUTS["hotels"].columns, "anything"]
    assert not column_drift("hotels", columns)
    assert "hotels" not in NOT_READ


def test_a_refused_file_says_which_column_may_be_meant(tmp_path: Path):
    write_file(tmp_path / "a.csv", COMPLAINTS_24.replace("RPT_DT", "REPORT_DT"))
    with pytest.raises(
        SourceError, match=r"lacks the columns RPT_DT\..*'REPORT_DT' looks like RPT_DT\."
    ):
        layouts.find_files(tmp_path, "complaints")


@pytest.mark.real_data
@needs_real_files
def test_every_real_file_is_as_published():
    found = {}
    for table in layouts.LAYOUTS:
        for path in layouts.find_files(REAL_FILES, table):
            header = layouts.read_header(path)
            assert header is not None
            if header.form != "JSON":
                found[path.name] = column_drift(table, header.names, header.form)
    assert len(found) > 12
    assert {name: drift.sentence for name, drift in found.items() if drift} == {}
