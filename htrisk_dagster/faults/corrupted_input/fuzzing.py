"""Coverage-guided fuzzing of the readers of sources: inputs that reach new code are changed further.

Belongs here: the changes to bytes, the edges of code that a read takes, the loop. Does not: what a
corruption means (`corruptions`): here the bytes are arbitrary, and the only thing asked is that a
read ends in rows that add up or in one sentence.

The loop is that of AFL (Zalewski 2014) at its smallest: an input is kept when it takes an edge, a
pair of lines run after one another in `htrisk_dagster/sources` or, for case records, in
`htrisk_dagster/victim_population`, that none took before. Atheris has no build for Python 3.11 and
HypoFuzz asks for a pathspec that dbt refuses; neither sees into Polars either, so that counting edges
of our own code with `sys.settrace` loses nothing.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from htrisk_dagster import sources, victim_population
from htrisk_dagster.errors import HtriskError
from htrisk_dagster.faults.corrupted_input.sample import Sample
from htrisk_dagster.faults.corrupted_input.sample_reading import read_sample, write_case_file
from htrisk_dagster.faults.corrupted_input.source_samples import source_samples

Edge = tuple[str, int, int]
_CODE = (*sources.__path__, *victim_population.__path__)
_TOKENS = (
    b'"', b",", b"\n", b"\r\n", b"\0", b"=1+1", b"\xff", b"\xef\xbb\xbf", b"{", b"}", b"[", b"]", b"null",
    b"-1", b"1e999", b"NaN", b"2090", b"1010", b"0", b"99999999999999999999", b'""', b"\t", b";", b"/",
)  # fmt: skip
_LARGEST_BYTES = 1 << 16


@dataclass(frozen=True)
class FuzzResult:
    """What a run of the fuzzer found.

    Parameters
    ----------
    executions : int
        Files read.
    edges_before, edges : int
        Edges of code that the good samples take, and that all inputs took.
    kept : int
        Inputs kept because they took a new edge.
    faults : tuple of (str, bytes)
        What went wrong and the unpacked bytes, one for each kind of fault.
    """

    executions: int
    edges_before: int
    edges: int
    kept: int
    faults: tuple[tuple[str, bytes], ...]


def fuzz(n_executions: int, seconds: float, seed: int) -> FuzzResult:
    """Read changed files until `n_executions` or `seconds` are spent, the sooner."""
    rng = np.random.default_rng(seed)
    corpus = [(sample, sample.content()) for sample in source_samples()]
    seen: set[Edge] = set()
    faults: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory(prefix="htrisk-fuzz-") as folder:
        for index, (sample, content) in enumerate(corpus):
            _execute(sample, content, Path(folder) / f"good-{index}", seen)
        edges_before, n_good = len(seen), len(corpus)
        ends_at = time.monotonic() + seconds
        done = 0
        while done < n_executions and time.monotonic() < ends_at:
            sample, content = corpus[int(rng.integers(len(corpus)))]
            other = corpus[int(rng.integers(len(corpus)))][1]
            changed = mutated(content, other, rng)
            new, fault = _execute(sample, changed, Path(folder) / str(done), seen)
            if fault:
                faults.setdefault(fault, changed)
            elif new:
                corpus.append((sample, changed))
            done += 1
    return FuzzResult(done, edges_before, len(seen), len(corpus) - n_good, tuple(faults.items()))


def mutated(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """`content` after one to four changes of bytes, tokens or stretches, `other` spliced in at times."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(len(changed) + 1))
        length = int(rng.integers(1, 40))
        kind = int(rng.integers(6))
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            changed[at:at] = _TOKENS[int(rng.integers(len(_TOKENS)))]
        elif kind == 2:
            del changed[at : at + length]
        elif kind == 3:
            changed[at:at] = changed[at : at + length] * int(rng.integers(1, 4))
        elif kind == 4:
            start = int(rng.integers(len(other) + 1))
            changed[at : at + length] = other[start : start + length]
        else:
            changed[at : at + 4] = rng.bytes(4)
    return bytes(changed[:_LARGEST_BYTES])


def _execute(
    sample: Sample, content: bytes, folder: Path, seen: set[Edge]
) -> tuple[bool, str | None]:
    """Read once; whether a new edge was taken, and what went wrong if anything did."""
    packed = gzip.compress(content, 1) if sample.file_name.endswith(".gz") else content
    path = write_case_file(folder, sample.file_name, packed)
    before = len(seen)
    fault = None
    try:
        with _traced(seen):
            read_sample(sample, folder)
    except HtriskError as error:
        said = str(error)
        fault = None if "\n" not in said and said.endswith(".") else f"no sentence: {said[:60]!r}"
    except Exception as error:  # any other error is what the fuzzer is for
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        line = f"{Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}" if where else "?"
        fault = f"{type(error).__name__} at {line}"
    finally:
        path.unlink()
        folder.rmdir()
    return len(seen) > before, fault


@contextmanager
def _traced(seen: set[Edge]) -> Iterator[None]:
    """Collect the edges that code of `sources` takes in this thread."""

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(_CODE):
            return None
        last = frame.f_lineno

        def line(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal last
            seen.add((name, last, frame.f_lineno))
            last = frame.f_lineno
            return line

        return line

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def run_part(out: Path, *, n: int, say: Callable[[str], None]) -> dict[str, object]:
    """Fuzz for `n` times 100 reads, or `n` times 20 seconds; faults are kept in `out` to be repeated."""
    found = fuzz(100 * n, 20.0 * n, seed=n)
    for index, (what, content) in enumerate(found.faults):
        say(f"fuzz: {what}")
        (out / f"fuzz-{index}.bin").write_bytes(content)
    return {
        "cases": found.executions,
        "failed": len(found.faults),
        "ends": {"edges of good files": found.edges_before, "edges of all": found.edges,
                 "inputs kept": found.kept},
        "failures": [what for what, _ in found.faults],
    }  # fmt: skip
