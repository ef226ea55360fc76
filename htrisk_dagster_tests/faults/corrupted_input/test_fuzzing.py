from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.faults.corrupted_input import fuzzing
from htrisk_dagster.faults.corrupted_input.source_samples import source_samples
from htrisk_dagster.sources import text_values
from htrisk_dagster.victim_population import countries


def test_edges_are_those_of_the_sources_and_the_trace_is_taken_off():
    seen: set[fuzzing.Edge] = set()
    before = sys.gettrace()
    with fuzzing._traced(seen):
        text_values.day("x")
        countries.has_two_letter_codes(pl.Series(["KZ"]))

    assert sys.gettrace() is before
    assert seen
    assert {name.rsplit("/", 1)[1] for name, _, _ in seen} == {"text_values.py", "countries.py"}


def test_mutations_follow_the_seed_and_change_bytes():
    content = source_samples()[0].content()

    def some(seed: int) -> list[bytes]:
        rng = np.random.default_rng(seed)
        return [fuzzing.mutated(content, content, rng) for _ in range(20)]

    assert some(1) == some(1) != some(2)
    assert sum(changed != content for changed in some(1)) > 15


def test_a_fault_is_found_and_kept(monkeypatch: pytest.MonkeyPatch):
    """A reader that falls over longer files is caught once, with the bytes that did it."""
    sample = next(s for s in source_samples() if s.name == "shootings")
    longest = len(sample.content()) + 10

    def falls(sample, folder):
        if (folder / sample.file_name).stat().st_size > longest:
            raise ZeroDivisionError

    monkeypatch.setattr(fuzzing, "read_sample", falls)
    monkeypatch.setattr(fuzzing, "source_samples", lambda: [sample])

    found = fuzzing.fuzz(60, 20.0, seed=5)

    assert [what.split(" at ")[0] for what, _ in found.faults] == ["ZeroDivisionError"]
    assert len(found.faults[0][1]) > longest
    assert found.executions == 60


@pytest.mark.slow  # 20 s of CPU
def test_changed_files_reach_new_code_and_nothing_but_sentences_comes_of_them():
    found = fuzzing.fuzz(300, 40.0, seed=11)

    assert found.faults == ()
    assert found.executions > 50
    assert found.edges > found.edges_before
    assert found.kept > 0
