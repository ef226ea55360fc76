"""A fit that was stopped and goes on elsewhere ends with the bytes of one that was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from htrisk_dagster.models.checkpoints import Resumable
from htrisk_dagster.models.count_model import MODEL_NAMES, make_model

OPTIONS = {
    "lightgbm": {"n_estimators": 12, "offset_blocks": 2},
    "xgboost": {"n_estimators": 12, "offset_blocks": 2},
    "lstm": {"epochs": 5, "patience": 5, "hidden": 8, "most_zeros": 4_000, "offset_blocks": 2},
}


class Killed(BaseException):
    """What a kill looks like from inside: nothing below catches it."""


@dataclass
class KeptInMemory:
    """Keeps the newest state and stops the fit after some of them."""

    stop_after: int | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)

    def load(self) -> Mapping[str, bytes]:
        return self.files

    def save(self, files: Mapping[str, bytes], done: int) -> None:
        self.files = dict(files)
        self.steps.append(done)
        if len(self.steps) == self.stop_after:
            raise Killed


@pytest.mark.parametrize(("name", "stop_after"), [("lightgbm", 1), ("xgboost", 2), ("lstm", 2)])
def test_an_interrupted_fit_goes_on_to_the_same_bytes(small_city, name, stop_after) -> None:
    block = small_city.block
    plain = make_model(name, **OPTIONS[name])
    fitted = plain.fit(block, seed=4)
    stopped = KeptInMemory(stop_after)
    first = make_model(name, **OPTIONS[name])
    first.checkpoints = stopped
    with pytest.raises(Killed):
        first.fit(block, seed=4)

    going_on = KeptInMemory(files=stopped.files)
    second = make_model(name, **OPTIONS[name])
    second.checkpoints = going_on
    again = second.fit(block, seed=4)

    assert second.to_bytes() == plain.to_bytes()
    assert again == fitted
    # What was done before the stop was not done again.
    assert going_on.steps == list(range(stop_after + 1, {"lstm": 5}.get(name, 2) + 1))


def test_a_fit_that_had_ended_only_ends_again(small_city) -> None:
    kept = KeptInMemory()
    model = make_model("lstm", **OPTIONS["lstm"])
    model.checkpoints = kept
    model.fit(small_city.block, seed=4)
    done = len(kept.steps)

    model.fit(small_city.block, seed=4)

    assert done == 5
    assert len(kept.steps) == done


def test_the_learners_are_resumable_and_the_baselines_need_not_be() -> None:
    found = {name for name in MODEL_NAMES if isinstance(make_model(name), Resumable)}

    assert found == {"lightgbm", "xgboost", "lstm"}
