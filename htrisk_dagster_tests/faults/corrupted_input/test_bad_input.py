"""Corruptions are noticed, and cost no other row; a judge that noticed nothing would say so."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.faults.corrupted_input import bad_input, sample_reading
from htrisk_dagster.faults.corrupted_input.bad_input import (
    GOOD_ENDS,
    QUARANTINED,
    REFUSED,
    Outcome,
    judge,
)
from htrisk_dagster.faults.corrupted_input.corrupted_file import ALL_ROWS, Case
from htrisk_dagster.faults.corrupted_input.corruptions import cases, different_cases
from htrisk_dagster.faults.corrupted_input.sample import Sample
from htrisk_dagster.faults.corrupted_input.source_samples import source_samples
from htrisk_dagster.sources import intake
from htrisk_dagster.sources.layouts import LAYOUTS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SAMPLES = {sample.name: sample for sample in source_samples()}


def failures(outcomes: list[Outcome]) -> list[tuple[str, str, str, str]]:
    return [
        (o.case.sample.name, f"{o.case.corruption} {o.case.column}", o.end, o.said)
        for o in outcomes
        if not o.is_good
    ]


def test_every_layout_has_a_sample_whose_every_row_is_kept():
    declared = {"incident_reports", "reported_offences", "records"}
    assert {sample.table for sample in SAMPLES.values()} == set(LAYOUTS) | declared
    assert {sample.way for sample in SAMPLES.values()} == set(sample_reading._WAYS)
    for sample in SAMPLES.values():
        assert bad_input._undamaged(sample.name).height >= 6, sample.name


def test_each_kind_of_corruption_is_noticed_on_some_layout(tmp_path: Path):
    """Each kind once, on the layouts in turn; all of them on all are a slow test."""
    by_kind: dict[str, list[Case]] = defaultdict(list)
    for sample in SAMPLES.values():
        if sample.table != "census_areas":
            for case in cases(sample, seed=3, n_columns=1):
                by_kind[case.corruption].append(case)
    chosen = [of_kind[i % len(of_kind)] for i, of_kind in enumerate(by_kind.values())]

    outcomes = [judge(case, tmp_path / str(i)) for i, case in enumerate(chosen)]

    assert len(outcomes) > 100
    assert failures(outcomes) == []
    ends = Counter(o.end for o in outcomes)
    assert ends[QUARANTINED] > 50
    assert ends[REFUSED] > 20


@pytest.mark.slow  # 30 s of CPU
def test_five_hundred_corruptions_of_all_layouts_are_quarantined_or_refused(tmp_path: Path):
    chosen = [
        case
        for i, sample in enumerate(SAMPLES.values())
        for k, case in enumerate(cases(sample, seed=i, n_columns=1))
        if k % 5 == i % 5
    ]

    outcomes = [judge(case, tmp_path / str(i)) for i, case in enumerate(chosen)]

    assert failures(outcomes) == []
    assert {o.case.sample.name for o in outcomes} == set(SAMPLES)
    assert sum(o.end in (QUARANTINED, REFUSED) for o in outcomes) >= 500


def test_as_many_different_files_are_made_of_a_layout_as_are_asked_for():
    sample = SAMPLES["boroughs"]  # the one with the fewest columns

    found = list(different_cases(sample, 1, 500, n_columns=1))

    contents = {(case.content, case.size_bytes) for case in found}
    assert len(contents) == len(found)
    assert 500 <= len(found) < 600
    first = list(cases(sample, seed=0, n_columns=1))
    assert found[: len(first)] == first
    assert len(list(different_cases(sample, 1, n_columns=1))) == len(first)


def test_the_part_counts_by_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The areas of a city are cheap to read; every one of 80 files ends well and is counted."""
    sample = SAMPLES["areas of a declared city"]
    monkeypatch.setattr(bad_input, "source_samples", lambda: (sample,))

    result = bad_input.run_part(tmp_path, n=1, count=80, say=print)

    (row,) = result["table"]
    assert (row["layout"], result["failed"]) == (sample.name, 0)
    assert row["cases"] == result["cases"] >= 80
    assert sum(row[end] for end in GOOD_ENDS) == row["cases"]


def test_the_judge_sees_a_value_that_no_rule_has_made_unknown(tmp_path: Path):
    """A country that is none is told by its rule; another country in its place is told by nobody."""
    sample = SAMPLES["CTDC, later synthetic"]
    for country, end in (("Atlantis", QUARANTINED), ("PH", bad_input.UNNOTICED)):
        rows = [dict(row) for row in sample.rows]
        rows[1]["citizenship"] = country
        case = case_of(sample.content(rows), frozenset({1}), sample.name)
        assert judge(case, tmp_path / country).end == end


def case_of(content: bytes, touched: frozenset[int], name: str = "shootings") -> Case:
    sample = SAMPLES[name]
    return Case(sample, "by hand", "", sample.file_name, content, touched)


def test_the_judge_sees_what_passes_unnoticed(tmp_path: Path):
    """A borough for another is a good row to any rule; a judge must still say that it changed."""
    content = SAMPLES["shootings"].content().replace(b"MANHATTAN", b"BROOKLYN")

    outcome = judge(case_of(content, frozenset({2})), tmp_path / "a")

    assert outcome.end == bad_input.UNNOTICED
    assert "BROOKLYN" in outcome.said


def test_the_judge_sees_a_good_row_that_is_lost(tmp_path: Path):
    lines = SAMPLES["shootings"].content().splitlines(keepends=True)
    content = b"".join(lines[:4] + lines[5:])

    outcome = judge(case_of(content, frozenset({1})), tmp_path / "a")

    assert outcome.end == bad_input.ROW_LOST


def test_the_judge_sees_an_error_that_is_no_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def broken(*given: object, **named: object) -> None:
        raise KeyError("RPT_DT")

    monkeypatch.setattr(intake, "read", broken)
    outcome = judge(case_of(b"", ALL_ROWS), tmp_path / "a")

    assert (outcome.end, outcome.said) == (bad_input.CRASHED, "KeyError: 'RPT_DT'")


def test_the_judge_sees_a_row_that_vanishes_without_a_rule(tmp_path: Path):
    lines = SAMPLES["shootings"].content().splitlines(keepends=True)
    content = b"".join(lines[:4] + lines[5:])

    outcome = judge(case_of(content, frozenset({3})), tmp_path / "a")

    assert outcome.end == bad_input.UNNOTICED


def test_a_corruption_changes_the_file_and_a_seed_gives_the_same_cases():
    sample = SAMPLES["shootings"]
    first, again, other = (list(cases(sample, seed)) for seed in (1, 1, 2))

    assert first == again
    assert [c.content for c in first] != [c.content for c in other]
    assert all(c.content != sample.content() or c.size_bytes for c in first)


ANY_TEXT = st.text(max_size=12)
TEMPTING = st.sampled_from(
    ["", "0", "-1", "1e999", "nan", "=1+1", "03/01/2024", "24:00:00", "40.7", "99999", "\x00", "é", '"']
)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        n
        for n, sample in SAMPLES.items()
        if sample.way == "table" and sample.table != "census_areas"
    ],
)
@settings(
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_stands_in_a_row_its_neighbours_are_kept(name: str, data: st.DataObject):
    """A row of any texts is kept, within its table's schema, or refused; the others come through."""
    import tempfile

    sample = SAMPLES[name]
    texts = {
        column: data.draw(ANY_TEXT | TEMPTING) for column in sample.kinds if column != "geometry"
    }
    rows = [dict(row) for row in sample.rows]
    rows[2] |= texts
    try:
        content = sample.content(rows)
    except UnicodeEncodeError:
        return
    case = dataclasses.replace(case_of(b"", frozenset({2}), name), content=sample.packed(content))
    with tempfile.TemporaryDirectory() as folder:
        sample_reading.write_case_file(Path(folder) / "a", case.file_name, case.content)
        read = sample_reading.read_sample(sample, Path(folder) / "a")
    good = bad_input._undamaged(name)
    key = "published_on" if name == "news" else "source_row"
    other = sorted(set(good[key]))
    del other[2]
    values = pl.exclude("source_row") if _may_split(sample, texts) else pl.all()
    expected = good.filter(pl.col(key).is_in(other)).select(values)
    assert not bad_input._rows(expected) - bad_input._rows(read.kept.select(values))
    assert read.files["rows_read_count"].sum() == (
        read.files["rows_kept_count"].sum() + read.files["rows_quarantined_count"].sum()
    )


def _may_split(sample: Sample, texts: dict[str, str]) -> bool:
    return sample.form == "CSV" and any(c in t for t in texts.values() for c in '\r\n"')


def test_the_ends_are_four():
    assert len(GOOD_ENDS) == 4
