from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from htrisk_dagster.features import input_findings as rules
from htrisk_dagster.schemas import raw
from htrisk_dagster.sources.layouts import LAYOUTS


def ledger(**files: tuple[int, int, int]) -> pl.DataFrame:
    """Rows read, kept and refused by file."""
    read, kept, refused = zip(*files.values(), strict=True)
    return raw.INTAKE.conform(
        pl.DataFrame(
            {
                "source": "complaints", "source_file": list(files), "layout": "35 columns",
                "sha256": "0" * 64, "rows_read_count": read, "rows_kept_count": kept,
                "rows_quarantined_count": refused, "first_on": None, "last_on": None, "columns": None,
            }
        )
    )  # fmt: skip


def refused(*files: str) -> pl.DataFrame:
    """One refused row for each file named."""
    return raw.QUARANTINE.conform(
        pl.DataFrame(
            {"source_file": files, "source_row": range(1, len(files) + 1)},
            schema={"source_file": pl.String, "source_row": pl.Int64},
        ).with_columns(
            source=pl.lit("complaints"), rule=pl.lit("date"), column=pl.lit("RPT_DT"),
            value=pl.lit("1019"), reason=pl.lit("Too early."), pulled_on=pl.lit(date(2026, 1, 1)),
        )
    )  # fmt: skip


def test_rows_are_accounted():
    found = rules.rows_are_accounted(ledger(a=(10, 8, 2), b=(5, 5, 0)), refused("a", "a"))
    assert (found.holds, found.sentence) == (
        True,
        "Every row read was kept or refused with a reason.",
    )
    assert found.figures == {"rows_read": 15, "rows_quarantined": 2}


@pytest.mark.parametrize(
    ("files", "in_quarantine", "sentence"),
    [
        ({"a": (10, 9, 0)}, (), "a: 10 rows read, 9 kept, 0 refused and 0 found in quarantine."),
        ({"a": (10, 9, 1)}, (), "a: 10 rows read, 9 kept, 1 refused and 0 found in quarantine."),
        ({"a": (9, 9, 0)}, ("a",), "a: 9 rows read, 9 kept, 0 refused and 1 found in quarantine."),
        ({"a": (9, 9, 0)}, ("b",), "b: 0 rows read, 0 kept, 0 refused and 1 found in quarantine."),
    ],
)
def test_rows_that_are_lost_are_told_by_file(files, in_quarantine, sentence):
    found = rules.rows_are_accounted(ledger(b2=(3, 3, 0), **files), refused(*in_quarantine))
    assert (found.holds, found.sentence) == (False, sentence)


def test_few_rows_are_refused():
    assert rules.few_rows_are_refused(ledger(a=(100, 98, 2), b=(99, 0, 99))).holds
    found = rules.few_rows_are_refused(ledger(a=(100, 98, 2), c=(200, 195, 5)))
    assert (found.holds, found.sentence) == (
        False,
        "c: 5 of 200 rows were refused, more than 2%. See raw.quarantine for the reasons.",
    )
    assert rules.few_rows_are_refused(ledger(c=(200, 195, 5)), most_pct=2.5).holds
    assert not rules.few_rows_are_refused(ledger(d=(100, 97, 3))).holds


def headers(layout: str, rows: int, **files: list[str]) -> pl.DataFrame:
    """A ledger of shootings with the columns of each file."""
    counts = dict.fromkeys(files, (rows, rows, 0))
    return ledger(**counts).with_columns(
        pl.Series("columns", list(files.values()), dtype=pl.List(pl.String)),
        source=pl.lit("shootings"), layout=pl.lit(layout),
    )  # fmt: skip


SHOOTINGS = list(LAYOUTS["shootings"].columns)


def test_columns_are_as_published():
    renamed = ["BOROUGH" if name == "BORO" else name for name in SHOOTINGS]
    assert rules.columns_are_as_published(headers("CSV", 5, a=SHOOTINGS)).holds
    assert rules.columns_are_as_published(raw.INTAKE.empty()).holds
    assert (
        "read the files again"
        in rules.columns_are_as_published(raw.INTAKE.empty().drop("columns")).sentence
    )
    found = rules.columns_are_as_published(headers("CSV", 5, a=SHOOTINGS, b=renamed))
    assert not found.holds
    assert found.figures == {"files_changed": 1}
    assert found.sentence.startswith(
        "b: column BORO is missing, and 'BOROUGH' is new and looks like it."
    )


def test_a_key_that_all_pages_of_json_lack_is_told_once_there_are_enough_rows():
    half = [name for name in SHOOTINGS if name != "PRECINCT"]
    pages = {"a": half, "b": SHOOTINGS[:3]}
    assert rules.columns_are_as_published(headers("JSON", 49, **pages)).holds
    found = rules.columns_are_as_published(headers("JSON", 50, **pages))
    assert "2 pages of JSON: column PRECINCT is missing." in found.sentence
    assert rules.columns_are_as_published(headers("JSON", 50, a=half, b=SHOOTINGS)).holds


def reports_of(**sources: tuple[date, float]) -> pl.DataFrame:
    """So many reports a day of each source, over 28 days up to its newest."""
    days = [
        (name, newest - timedelta(days=k % 28))
        for name, (newest, a_day) in sources.items()
        for k in range(round(28 * a_day))
    ]
    return pl.DataFrame(days, schema={"source": pl.String, "reported_on": pl.Date}, orient="row")


CUTOFF = date(2026, 3, 10)


@pytest.mark.parametrize(
    ("a_day", "behind", "holds"),
    # exp(-7 * 1) = 0.0009 is below one in a thousand, exp(-6 * 1) = 0.0025 is not.
    [(150, 0, True), (150, 1, False), (7, 1, False), (6, 1, True), (6, 2, False), (1, 6, True),
     (1, 7, False), (150, 60, False), (150, 61, True)],
)  # fmt: skip
def test_a_source_that_stops_is_told_as_soon_as_chance_is_ruled_out(a_day, behind, holds):
    newest = CUTOFF - timedelta(days=1 + behind)
    reports = reports_of(other=(CUTOFF - timedelta(days=1), 5), stopped=(newest, a_day))
    found = rules.sources_still_report(reports, CUTOFF)
    assert found.holds == holds
    if not holds:
        assert f"stopped: the newest report is of {newest}, {behind} days behind" in found.sentence
        assert found.figures["stopped_days_behind"] == behind


def test_reports_after_the_cutoff_tell_nothing_of_it():
    found = rules.sources_still_report(reports_of(a=(CUTOFF, 100)), CUTOFF)
    assert found.holds
    assert rules.sources_still_report(reports_of(), CUTOFF).holds


@pytest.mark.parametrize(("placed", "holds"), [(8, True), (7, False)])
def test_incidents_are_placed(placed, holds):
    cells = [0] * placed + [None] * (10 - placed)
    found = rules.incidents_are_placed(
        pl.DataFrame({"cell_id": cells}, schema={"cell_id": pl.Int32})
    )
    assert found.holds == holds
    assert found.sentence == f"{placed}0.0% of 10 incidents have a cell; 80% are needed."
    assert found.figures["placed_pct"] == pytest.approx(10 * placed)


def test_no_incident_at_all_is_told():
    found = rules.incidents_are_placed(pl.DataFrame(schema={"cell_id": pl.Int32}))
    assert (found.holds, found.sentence[:30]) == (False, "There is no incident at all. L")


def stored(cells_by_day: dict[int, list[int]], value: float | None = 1.0) -> pl.DataFrame:
    return pl.DataFrame(
        [(date(2015, 7, day), c, value) for day, cells in cells_by_day.items() for c in cells],
        schema={"risk_on": pl.Date, "cell_id": pl.Int32, "target_mean_7": pl.Float32},
        orient="row",
    )


def test_features_are_whole():
    together = [stored({1: [0, 1, 2], 2: [2, 1, 0]})]
    for parts in (together, [stored({1: [0, 1, 2]}), stored({2: [2, 1, 0]})]):
        found = rules.features_are_whole(parts, 3)
        assert (found.holds, found.sentence) == (True, "2 days of 3 cells.")
        assert found.figures == {"days": 2}
    # Missing is not wrong.
    assert rules.features_are_whole([stored({1: [0, 1, 2]}, None)], 3).holds


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (stored({}), "There is no row at all."),
        (
            stored({1: [0, 1, 2], 2: [0, 1]}),
            "2015-07-02 has 2 rows of 2 cells; the grid has 3 cells.",
        ),
        (stored({1: [0, 1, 1]}), "2015-07-01 has 3 rows of 2 cells; the grid has 3 cells."),
        (stored({1: [0, 1, 2, 2]}), "2015-07-01 has 4 rows of 3 cells; the grid has 3 cells."),
        (stored({1: [0, 1, 2]}, float("inf")), "Feature 'target_mean_7' holds an infinite number."),
    ],
)
def test_features_that_are_not_whole_are_told(frame, sentence):
    found = rules.features_are_whole([frame], 3)
    assert (found.holds, found.sentence) == (False, sentence)


def test_a_day_that_is_not_whole_is_told_in_whatever_part_it_is():
    whole, short = stored({1: [0, 1, 2]}), stored({2: [0, 1]})
    told = rules.features_are_whole([short], 3).sentence
    for parts in ([whole, short], [short, whole]):
        found = rules.features_are_whole(parts, 3)
        assert (found.holds, found.sentence) == (False, told)


def test_reports_are_fresh():
    # Known before the 20th is the 19th; the 12th is 7 days behind that.
    found = rules.reports_are_fresh(date(2015, 7, 12), date(2015, 7, 20))
    assert (found.holds, found.figures) == (True, {"days_behind": 7})
    assert found.sentence == (
        "The newest report before the cutoff 2015-07-20 is of 2015-07-12, 7 days behind."
    )
    assert rules.reports_are_fresh(date(2015, 7, 19), date(2015, 7, 20)).figures == {
        "days_behind": 0
    }


def test_stale_reports_are_told():
    found = rules.reports_are_fresh(date(2015, 7, 11), date(2015, 7, 20))
    assert (found.holds, found.sentence) == (
        False,
        "The newest report before the cutoff 2015-07-20 is of 2015-07-11, 8 days behind; 7 are "
        "allowed. Fetch newer reports.",
    )
    none = rules.reports_are_fresh(None, date(2015, 7, 20))
    assert (none.holds, none.sentence) == (
        False, "There is no report before the cutoff 2015-07-20 at all.",
    )  # fmt: skip
