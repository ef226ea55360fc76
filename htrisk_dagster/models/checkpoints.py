"""What a fit may leave behind on its way, so that another process can go on from there.

Belongs here: the promise of a place to leave it. Does not: what a learner leaves (`lstm`,
`boosted_trees`), where it is kept (`scale`).

A fit that goes on from a checkpoint ends with the very bytes of one that was never stopped: it holds
weights, the optimiser's moments and the state of the random stream, in formats that run no code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


class Checkpoints(Protocol):
    """Keeps the newest state of one fit."""

    def load(self) -> Mapping[str, bytes]:
        """Files of the newest state by name; empty where the fit has not begun."""
        ...

    def save(self, files: Mapping[str, bytes], done: int) -> None:
        """Replace the state by one with `done` steps behind it."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """A model whose fit leaves checkpoints, and goes on from the newest."""

    checkpoints: Checkpoints | None
