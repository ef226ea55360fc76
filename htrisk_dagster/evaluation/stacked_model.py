"""A stack together with its members, as one model that predicts a block.

Belongs here: the stack as files that travel alone, such as MLflow's registry keeps. Does not: the
weights (`stacking`), the daily forecasts, where the members' forecasts are there already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.stacking import STACK, Stack
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.count_model import CountModel, load_model

# No file of a model has it in its name, so that a flat folder holds all members.
_MARK = "@"


def member_files(members: Mapping[str, Mapping[str, bytes]]) -> dict[str, bytes]:
    """Files of all members in one dictionary, `<model>@<file>`."""
    return {
        f"{model}{_MARK}{file}": content
        for model, files in members.items()
        for file, content in files.items()
    }


@dataclass(frozen=True)
class StackedModel:
    """A stack and its fitted members.

    Parameters
    ----------
    stack : Stack
    members : dict of str to CountModel
        Those with weight.
    """

    name: ClassVar[str] = STACK
    stack: Stack
    members: Mapping[str, CountModel]

    def predict(self, block: CellDayBlock) -> NDArray[np.float64]:
        """Give expected counts, shape (D, C), all above 0; `block.counts` is never read."""
        return self.stack.combine({n: m.predict(block) for n, m in self.members.items()})

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> StackedModel:
        """Read the files of `Stack.to_bytes` together with those of `member_files`."""
        stack = Stack.from_bytes(files)
        members = {}
        for name in stack.members:
            own = {f.partition(_MARK)[2]: c for f, c in files.items() if f.startswith(name + _MARK)}
            members[name] = load_model(name, own)
        return cls(stack, members)
