"""Bad input: corrupted files of every layout, and whether each was noticed.

Belongs here: reading one corrupted file and judging what came of it. Does not: the corruptions
(`corruptions`), the reading itself (`sources`).

A case ends well in one of four ways: the touched rows are in quarantine under a named rule; the file
is refused with one sentence, or named as one that no table takes; every value is as if nothing had
been done (a mark of byte order, separators of thousands); or, for a police report at (0, 0), the row
is kept without a place, as the publisher means it. In each the other rows come through unchanged, or the
file is refused as a whole. Anything else fails: a changed value that nobody names, a good row that is
gone, an error that is no sentence.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from htrisk_dagster.errors import HtriskError
from htrisk_dagster.faults.corrupted_input.corrupted_file import Case
from htrisk_dagster.faults.corrupted_input.corruptions import different_cases
from htrisk_dagster.faults.corrupted_input.sample_reading import read_sample, write_case_file
from htrisk_dagster.faults.corrupted_input.source_samples import source_samples
from htrisk_dagster.sources.intake import Intake
from htrisk_dagster.sources.unread_files import unread_files

QUARANTINED, REFUSED, AS_MEANT = "quarantined", "refused", "read as meant"
WITHOUT_PLACE, UNNOTICED, ROW_LOST, CRASHED = (
    "kept without a place", "passed unnoticed", "good row lost", "no sentence",
)  # fmt: skip
GOOD_ENDS = (QUARANTINED, REFUSED, AS_MEANT, WITHOUT_PLACE)
# What tells rows of a table without row numbers apart.
_ROW_OF = {"news_sentiment": "published_on"}
# Staging keeps one row a number (`dbt/models/staging/incidents.sql`).
_ONE_A_NUMBER = frozenset({"complaints", "shootings", "incident_reports"})
_PLACE = ("lon", "lat")


@dataclass(frozen=True)
class Outcome:
    """What came of one case.

    Parameters
    ----------
    case : Case
    end : str
        One of `GOOD_ENDS`, or how it failed.
    said : str
        Rules of the quarantine, the sentence of the refusal, or what went wrong.
    """

    case: Case
    end: str
    said: str

    @property
    def is_good(self) -> bool:
        """Whether the corruption was noticed and cost no other row."""
        return self.end in GOOD_ENDS


def run_cases(n_rounds: int, at_least: int = 0, n_columns: int = 3) -> Iterator[Outcome]:
    """Judge the corruptions of every layout: `n_rounds` rounds, and more until there are `at_least`."""
    with tempfile.TemporaryDirectory(prefix="htrisk-faults-") as folder:
        for number, sample in enumerate(source_samples()):
            files = different_cases(sample, n_rounds, at_least, n_columns)
            for index, case in enumerate(files):
                yield judge(case, Path(folder) / f"{number}-{index}")


def judge(case: Case, folder: Path) -> Outcome:
    """Read a corrupted file in an own, new folder, remove it, and say what came of it."""
    path = write_case_file(folder, case.file_name, case.content, case.size_bytes)
    try:
        read = read_sample(case.sample, folder)
        unread = unread_files(folder) if read.files.is_empty() else []
    except HtriskError as error:
        return Outcome(case, *_sentence(str(error)))
    except Exception as error:  # a fault of any kind is what is looked for
        return Outcome(case, CRASHED, f"{type(error).__name__}: {str(error)[:200]}")
    finally:
        path.unlink()
        folder.rmdir()
    if read.files.is_empty():
        if unread:
            return Outcome(case, *_sentence(unread[0].sentence))
        return Outcome(case, UNNOTICED, "The file was passed over.")
    return _compared(case, read)


def _sentence(text: str) -> tuple[str, str]:
    is_one = "\n" not in text and text.endswith(".")
    return (REFUSED if is_one else CRASHED), text


@cache
def _undamaged(sample_name: str) -> pl.DataFrame:
    sample = next(s for s in source_samples() if s.name == sample_name)
    with tempfile.TemporaryDirectory(prefix="htrisk-faults-") as folder:
        place = Path(folder) / "good"
        write_case_file(place, sample.file_name, sample.packed(sample.content()))
        read = read_sample(sample, place)
    assert read.quarantined.is_empty(), f"{sample.name}: {read.quarantined.to_dicts()}"
    return read.kept


def _compared(case: Case, read: Intake) -> Outcome:
    """Compare what was kept of a corrupted file with what is kept of the good one."""
    table = case.sample.table
    good = _undamaged(case.sample.name)
    day = _ROW_OF.get(table)
    number = (
        pl.col("source_row") - 1
        if day is None
        else pl.col(day).rank("dense").cast(pl.Int64)
        - 1  # rows of the sample lie on days of their own
    )
    touched = number.is_in(list(case.touched))
    values = pl.exclude("source_row", "source_file")
    others = _rows(good.filter(~touched).select(values))
    kept = _rows(_staged(table, read.kept).select(values))
    lost = others - kept
    rules = sorted(set(read.quarantined["rule"]))
    if lost:
        return Outcome(case, ROW_LOST, f"{sum(lost.values())} rows; refused by {rules}")
    rest = kept - others
    before = good.filter(touched).select(values)
    if not rest - _rows(before):
        if rules:
            return Outcome(case, QUARANTINED, ", ".join(rules))
        if rest == _rows(before):
            return Outcome(case, AS_MEANT, "")
        return Outcome(case, UNNOTICED, "A row is gone without a rule.")
    if told := set(read.quarantined["column"]) & set(good.columns):
        # A record goes on without a value that a named rule has made unknown.
        rest_of = pl.exclude("source_row", "source_file", *told)
        if _rows(read.kept.select(rest_of)) == _rows(good.select(rest_of)):
            return Outcome(case, QUARANTINED, ", ".join(rules))
    if set(_PLACE) <= set(good.columns) and _is_without_place(before, read.kept):
        return Outcome(case, WITHOUT_PLACE, "")
    return Outcome(case, UNNOTICED, f"Changed: {next(iter(rest - _rows(before)))}"[:300])


def _is_without_place(before: pl.DataFrame, kept: pl.DataFrame) -> bool:
    # Felonies have no number: theirs is the row's own text, the point among it.
    others = pl.exclude(*_PLACE, "source_row", "source_file", "report_id")
    placeless = kept.filter(pl.all_horizontal(pl.col(*_PLACE).is_null()))
    return _rows(placeless.select(others)) == _rows(before.select(others))


def _staged(table: str, kept: pl.DataFrame) -> pl.DataFrame:
    return kept.unique("report_id", keep="last") if table in _ONE_A_NUMBER else kept


def _rows(frame: pl.DataFrame) -> Counter[tuple[object, ...]]:
    return Counter(
        tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in frame.rows()
    )


def run_part(
    out: Path, *, n: int, say: Callable[[str], None], count: int | None = None
) -> dict[str, object]:
    """Judge `n` rounds of corruptions of every layout, or as many as `count` different ones need.

    See `report.PartResult` for the record.
    """
    by_layout: dict[str, Counter[str]] = {}
    failures = []
    for o in run_cases(n, count or 0):
        by_layout.setdefault(o.case.sample.name, Counter())[o.end] += 1
        if not o.is_good:
            what = f"{o.case.sample.name}: {o.case.corruption} {o.case.column}: {o.end}: {o.said}"
            failures.append(what)
            say(what)
    ends = sum(by_layout.values(), Counter[str]())
    return {
        "cases": ends.total(),
        "failed": len(failures),
        "ends": dict(ends),
        "failures": failures,
        "table": [
            {"layout": name, "cases": counts.total(), **{end: counts[end] for end in GOOD_ENDS}}
            for name, counts in by_layout.items()
        ],
    }
