"""The record of a series of kills: each with what came of it, in a file that a later call goes on from.

Belongs here: the record, its file, its figures by stage. Does not: killing (`kill`, `killed_daemon`,
`killed_mlflow`).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from htrisk_dagster.warehouse.partitions import write_text_whole

BY_CLOCK, BY_CHANGE = "clock", "change of a file"
"""How the moment of a kill was found."""
DAEMON, MLFLOW = "daemon", "MLflow server"
STAGES = {
    "raw": "raw", "restricted": "raw", "staging": "staging", "marts": "staging", "grid": "places",
    "context": "places", "hotspots": "places", "features": "features", "models": "training",
    "predictions": "prediction", "publishing": "publishing", "governance": "publishing",
    "evaluation": "evaluation",
}  # fmt: skip
"""Layer of a step's assets to the stage under which its kills are counted."""


@dataclass(frozen=True)
class Usual:
    """What a step takes where nothing disturbs it.

    Parameters
    ----------
    last, stage : str
        Of the step: the asset that it ends with, and where its kills are counted.
    seconds : float
    changes : int
    """

    last: str
    stage: str
    seconds: float
    changes: int


@dataclass(frozen=True)
class Kill:
    """One kill and what came of it.

    Parameters
    ----------
    stage, title : str
        Step that was killed.
    by : str
        `BY_CLOCK` or `BY_CHANGE`.
    at : float
    half_written : int
        Files and folders that lay beside their places then.
    replaced : int
        Artefacts that the step had put in place by then.
    wrong : list of str
        What was not as it must be.
    """

    stage: str
    title: str
    by: str
    at: float
    half_written: int
    replaced: int
    wrong: list[str]


@dataclass
class Record:
    """All that is known of a series of kills; `kills.json`.

    Parameters
    ----------
    code, seed :
        What the kills were of.
    usual : dict of str to list of Usual
        Steps by version of the city.
    contents : dict of str to dict of str to str
        Digests of undisturbed artefacts, by version.
    kills : list of Kill
    rounds : int
        Rounds that came to their end.
    wrong : list of str
        What was wrong at the end of a round.
    """

    code: str
    seed: int
    usual: dict[str, list[Usual]] = field(default_factory=dict)
    contents: dict[str, dict[str, str]] = field(default_factory=dict)
    kills: list[Kill] = field(default_factory=list)
    rounds: int = 0
    wrong: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write the record whole."""
        write_text_whole(path, json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, path: Path) -> Record:
        """Record written by `write`."""
        given = json.loads(path.read_text())
        given["usual"] = {v: [Usual(**u) for u in us] for v, us in given["usual"].items()}
        return cls(**{**given, "kills": [Kill(**k) for k in given["kills"]]})


def result_of(record: Record) -> dict[str, Any]:
    """Figures of a record by stage, as `report.PartResult` has them."""
    stages = dict.fromkeys((*STAGES.values(), DAEMON, MLFLOW))
    by_stage = {stage: [k for k in record.kills if k.stage == stage] for stage in stages}
    failures = [f"{k.title}: {what}" for k in record.kills for what in k.wrong] + record.wrong
    wrong = sum(bool(k.wrong) for k in record.kills)
    return {
        "cases": len(record.kills),
        "failed": wrong + len(record.wrong),
        "ends": dict(Counter("something wrong" if k.wrong else "whole" for k in record.kills)),
        "failures": failures,
        "table": [
            {
                "stage": stage,
                "kills": len(kills),
                "by the clock": sum(k.by == BY_CLOCK for k in kills),
                "while a file was half written": sum(k.half_written > 0 for k in kills),
                "between two files of a step": sum(k.replaced > 0 for k in kills),
                "wrong": sum(bool(k.wrong) for k in kills),
            }
            for stage, kills in by_stage.items()
            if kills
        ],
    }
