"""What a row of the bench is made of: its sides, their work and the answers that must agree.

Belongs here: the shape that every row's module has. Does not: a row, the measuring (`measuring`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Answer = Mapping[str, NDArray[np.generic]]
"""What a side found, as arrays by name."""


@dataclass(frozen=True)
class OwnFigures:
    """Result of work that is done by a process of its own, with what that process took.

    Parameters
    ----------
    result : object
        What `Side.answer` is given.
    wall_seconds, cpu_seconds, peak_gb : float
    """

    result: object
    wall_seconds: float
    cpu_seconds: float
    peak_gb: float


@dataclass(frozen=True)
class Side:
    """One program of a comparison.

    Parameters
    ----------
    title : str
        Who does it, for the table.
    load : callable
        From the folder of prepared inputs to the work: imports and reading of inputs happen here
        and are not timed. The work takes nothing and returns what `answer` turns into arrays, or
        `OwnFigures` of it.
    answer : callable
        From the work's result to arrays; not timed.
    """

    title: str
    load: Callable[[Path], Callable[[], object]]
    answer: Callable[[object], Answer]


@dataclass(frozen=True)
class Target:
    """What is asked of a row: the ratio of the usual way's time to ours, or a limit of ours.

    Parameters
    ----------
    ratio : float, optional
        CPU seconds of the usual way over ours, at least.
    seconds, cpu_seconds, peak_gb : float, optional
        Of our side, at most.
    """

    ratio: float | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    peak_gb: float | None = None


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    work : str
        What is done, with its size.
    prepare : callable
        Makes the inputs in a folder, once; what is there is kept.
    ours : Side
        The package.
    usual : Side, optional
        The same work as people write it.
    same : callable, optional
        Of both answers: None where they agree, else a sentence; arrays equal by default.
    target : Target
    repeats : int
        Runs of each side, one after the other in turn.
    note : str
        What a reader must know to judge the comparison.
    """

    work: str
    prepare: Callable[[Path], None]
    ours: Side
    target: Target
    usual: Side | None = None
    same: Callable[[Answer, Answer], str | None] | None = None
    repeats: int = 3
    note: str = ""


def equal_within(relative: float) -> Callable[[Answer, Answer], str | None]:
    """Agreement of all arrays to a relative difference; NaN agrees with NaN."""

    def compare(ours: Answer, usual: Answer) -> str | None:
        if set(ours) != set(usual):
            return f"one side gave {sorted(ours)}, the other {sorted(usual)}"
        for name, values in ours.items():
            other = usual[name]
            if values.shape != other.shape:
                return f"{name} has shape {values.shape} and {other.shape}"
            if relative == 0 or values.dtype.kind not in "fc":
                differ = values != other
                if values.dtype.kind == "f":
                    differ &= ~(np.isnan(values) & np.isnan(other))
            else:
                differ = ~np.isclose(values, other, rtol=relative, atol=relative, equal_nan=True)
            if differ.any():
                return f"{name} differs in {int(differ.sum()):,} of {differ.size:,} numbers"
        return None

    return compare
