"""Kills: runs of everything that are killed step by step, and what is left each time.

Belongs here: where and when a step is killed, the rounds, the record that a later call goes on from.
Does not: the process that dies (`killed_process`), what must be so afterwards (`kill_audit`), the
servers (`killed_daemon`, `killed_mlflow`).

A round makes a city from nothing, then makes it again from amended reports, so that kills hit both
what is written for the first time and what replaces something. A killed run is begun again as a person
would, by the same command, until it is through; its artefacts must then be those of a run that was
never disturbed, to the byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import dagster as dg
import numpy as np

from htrisk_dagster.defs.fingerprints import code_of
from htrisk_dagster.defs.plan import Step
from htrisk_dagster.defs.recovery import recover
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import HtriskError
from htrisk_dagster.faults.kill_audit import KillAudit
from htrisk_dagster.faults.kill_record import (
    BY_CHANGE,
    BY_CLOCK,
    DAEMON,
    MLFLOW,
    STAGES,
    Kill,
    Record,
    Usual,
    result_of,
)
from htrisk_dagster.faults.killed_city import END, START, KillCity
from htrisk_dagster.faults.killed_daemon import kill_daemon
from htrisk_dagster.faults.killed_mlflow import kill_mlflow
from htrisk_dagster.faults.killed_process import Aim, Lived, StepDone, Template, last_of
from htrisk_dagster.settings import Settings

# dbt starts anew with each run, and one start costs as much as ten other steps; features are made in
# one step with the forecasts, the risk and the maps that follow from them.
_KILLS_A_STEP = {"staging": 1.0, "features": 16.0}
_KILLS = 4.0
# Of all kills; a daemon takes a minute to be at work.
_SHARES = {DAEMON: 0.01, MLFLOW: 0.02}
_STATE = "kills.json"
_VERSIONS = ("first", "amended")


class Killer:
    """Kills the runs of one workspace and looks at what is left.

    Parameters
    ----------
    workspace : Workspace
    template : Template
    log : Path
        What its children print.
    """

    def __init__(self, workspace: Workspace, template: Template, log: Path) -> None:
        self.workspace = workspace
        self.audit = KillAudit(workspace)
        self._template = template
        self._log = log

    def undisturbed(self, steps: Sequence[Step] | None = None) -> list[StepDone]:
        """Run to the end.

        Raises
        ------
        HtriskError
            Where the run fails; the message holds the end of its log.
        """
        lived = self._template.run({}, steps)
        self._require_end(lived)
        return lived.steps

    def kill(
        self,
        aims: dict[str, list[Aim]],
        goes_on: Callable[[], bool],
        steps: Sequence[Step] | None = None,
    ) -> Iterator[Kill]:
        """Run until through, killed at each aim; give every kill.

        Parameters
        ----------
        aims : dict of str to list of Aim
            By the last asset of the step (`last_of`), used up one after another.
        goes_on : callable
            Asked before each run; from the first no on, nothing is killed.
        """
        while True:
            now = {last: left[0] for last, left in aims.items() if left} if goes_on() else {}
            lived = self._template.run(now, steps)
            for done in lived.steps:
                # It came to its end before its moment did.
                aims.get(last_of(done.step), []).clear()
            if not lived.was_killed or lived.begun is None:
                self._require_end(lived)
                return
            aim = aims[last_of(lived.begun)].pop(0)
            yield self._looked_at(lived.begun, lived.begun_ns, aim)

    def _looked_at(self, step: Step, begun_ns: int, aim: Aim) -> Kill:
        half_written = self.audit.beside()
        replaced = self.audit.written_since(begun_ns)
        wrong = self.audit.after_kill()
        # In a process of its own, as the next start is: one that has seen an earlier city would ask a
        # database that is no longer there.
        if any(self._template.run_together([_put_in_order])):
            wrong.append("The next start could not put things in order; its log says why.")
        wrong += self.audit.after_start()
        return Kill(stage_of(step), step.title, aim.by, aim.at, half_written, replaced, wrong)

    def _require_end(self, lived: Lived) -> None:
        if lived.status:
            told = self._log.read_text(errors="replace")[-3000:] if self._log.is_file() else ""
            at = f" in '{lived.begun.title}'" if lived.begun else ""
            raise HtriskError(f"A run that was not killed ended with {lived.status}{at}. {told}")


def _put_in_order(settings: Settings, definitions: dg.Definitions) -> None:
    """What the next start does first."""
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        # The process is dead for certain: nobody has to be waited for.
        recover(Workspace(settings), instance, patience_s=0.0)


def stage_of(step: Step) -> str:
    """Stage of a step, by the layer of its first asset."""
    return STAGES[step.assets[0].partition("/")[0]]


def aims_at(usual: Sequence[Usual], rng: np.random.Generator) -> dict[str, list[Aim]]:
    """Draw moments for every step: half by the clock, half by changes of files.

    A moment of the clock is drawn over 1.1 times the usual time, so that the end is covered too.
    """
    return {
        step.last: [
            Aim(BY_CLOCK, float(rng.uniform(0, 1.1 * step.seconds)))
            if rng.random() < 0.5
            else Aim(BY_CHANGE, float(rng.integers(1, max(step.changes, 1) + 1)))
            for _ in range(rng.poisson(_KILLS_A_STEP.get(step.stage, _KILLS)))
        ]
        for step in usual
    }


def kill_rounds(
    out: Path, *, count: int, seconds: float, seed: int, say: Callable[[str], None]
) -> Record:
    """Kill until there were `count` kills, or `seconds` are spent; go on from the record in `out`.

    Raises
    ------
    HtriskError
        Where the record is of another seed or of other code.
    """
    city, path, log = KillCity(out / "city"), out / _STATE, out / "runs.log"
    code = code_of(".")
    record = Record.read(path) if path.is_file() else Record(code, seed)
    if (record.code, record.seed) != (code, seed):
        raise HtriskError(
            f"{path} is of seed {record.seed} and code {record.code}, not of {seed} and {code}. "
            "Give another --out."
        )
    until = monotonic() + seconds
    city.publish()
    with Template(city.settings, (START, END), log) as template:
        killer = Killer(Workspace(city.settings), template, log)
        if not record.contents:
            _learn(city, killer, record)
            record.write(path)
            say(f"An undisturbed run: {sum(u.seconds for u in record.usual['first']):.0f} s.")
        of_servers = {kind: int(share * count) for kind, share in _SHARES.items()}
        of_runs = count - sum(of_servers.values())

        def goes_on() -> bool:
            return len(record.kills) < of_runs and monotonic() < until

        while goes_on():
            rng = np.random.default_rng([seed, record.rounds])
            for version in _VERSIONS:
                _begin(city, version)
                aims = aims_at(record.usual[version], rng)
                for kill in killer.kill(aims, goes_on):
                    record.kills.append(kill)
                    record.write(path)
                    what = "; ".join(kill.wrong) or "whole"
                    say(f"{len(record.kills)}: {kill.title}, {kill.by} {kill.at:.2f}: {what}")
                record.wrong += _end_of_round(killer, record, version)
            record.rounds += 1
            record.write(path)
            say(f"Round {record.rounds}: {len(record.wrong)} wrong at the end of rounds.")
    if monotonic() < until:
        _kill_servers(out, city, record, of_servers, say)
    return record


def _kill_servers(
    out: Path,
    city: KillCity,
    record: Record,
    wanted: dict[str, int],
    say: Callable[[str], None],
) -> None:
    """Kill as many servers as are wanted and not yet recorded."""
    done = Counter(kill.stage for kill in record.kills)
    rng = np.random.default_rng([record.seed, 2**31])
    left = {kind: n - done[kind] for kind, n in wanted.items()}
    if left[DAEMON] > 0:
        workspace, log = Workspace(city.settings), out / "daemon.log"
        record.kills += kill_daemon(workspace, left[DAEMON], rng, log, say)
        record.write(out / _STATE)
    if left[MLFLOW] > 0:
        record.kills += kill_mlflow(out / "mlflow", left[MLFLOW], rng, say)
        record.write(out / _STATE)


def _begin(city: KillCity, version: str) -> None:
    city.publish(amended=version == "amended")
    if version == "first":
        city.clear()


def _learn(city: KillCity, killer: Killer, record: Record) -> None:
    for version in _VERSIONS:
        _begin(city, version)
        record.usual[version] = [
            Usual(last_of(d.step), stage_of(d.step), d.seconds, d.changes)
            for d in killer.undisturbed()
        ]
        record.contents[version] = killer.audit.contents()


def _end_of_round(killer: Killer, record: Record, version: str) -> list[str]:
    """What differs from an undisturbed run, and what is wrong, once a round is through."""
    wanted, found = record.contents[version], killer.audit.contents()
    differing = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
    round_ = f"Round {record.rounds + 1}, {version}"
    wrong = [f"{round_}: {name} is not as in an undisturbed run." for name in differing]
    wrong += [f"{round_}: {what}" for what in killer.audit.after_kill()]
    return [*wrong, *(f"{round_}: {what}" for what in killer.audit.after_start())]


def run_part(
    out: Path,
    *,
    n: int,
    say: Callable[[str], None],
    count: int | None = None,
    seconds: float | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Kill `count` runs, `n` times 20 if not given; see `report.PartResult` for the result."""
    folder = out / "kill"
    folder.mkdir(parents=True, exist_ok=True)
    record = kill_rounds(
        folder, count=count or 20 * n, seconds=seconds or float("inf"), seed=seed or 0, say=say
    )
    return result_of(record)
