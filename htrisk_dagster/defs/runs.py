"""Dagster runs of a plan in this process, one after the other.

Belongs here: how a step becomes a run, what a failed run says, progress for a terminal. Does not:
which steps there are (`plan.py`), what an asset does.

In process, because a subprocess imports everything anew: 58 times slower for short steps.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import dagster as dg

from htrisk_dagster.defs.dagster_home import prepare_dagster_home
from htrisk_dagster.defs.dead_runs import under_way
from htrisk_dagster.defs.failures import Unmade, reason_of
from htrisk_dagster.defs.partitions import range_tags
from htrisk_dagster.defs.plan import Plan, Step
from htrisk_dagster.defs.recovery import recover
from htrisk_dagster.defs.refusals import Refusals
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import HtriskError
from htrisk_dagster.study_areas.area import StudyArea

_LOG = logging.getLogger(__name__)
TERMINAL = "terminal"


class StepFailedError(HtriskError):
    """A step of a run failed; the message says which, why, and where its log is."""


@dg.logger(None, description="Progress lines of assets for `htrisk run`; errors are told by it.")
def terminal_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """Logger that prints what assets say, and nothing of what Dagster says of itself."""
    logger = logging.Logger("htrisk.terminal", level=logging.INFO)
    handler = logging.StreamHandler()
    handler.setFormatter(_OwnWords())
    handler.addFilter(lambda record: record.levelno < logging.WARNING)
    logger.addHandler(handler)
    return logger


class _OwnWords(logging.Formatter):
    """The message as the asset wrote it, without run id and step name."""

    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {}) or {}
        return f"             {meta.get('orig_message', record.getMessage())}"


@dataclass(frozen=True)
class Runner:
    """Runs steps of one study area on one Dagster instance.

    Parameters
    ----------
    definitions : dagster.Definitions
    instance : DagsterInstance
    area : StudyArea
    """

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    area: StudyArea

    def run_range(
        self,
        workspace: Workspace,
        start: date,
        end: date,
        on_step: Callable[[Step], None],
        warn: Callable[[str], None] = _LOG.warning,
    ) -> int:
        """Run every step from raw to comparison that is out of date; return how many there were.

        A site that cannot be reached is told to `warn`, and what was read of it before gone on with.

        Raises
        ------
        StepFailedError
            Where a step fails. What was done before it stays; nothing after it is touched.
        """
        done = 0
        self._refusals.forget()
        for step in Plan(workspace, self.area, start, end, self.refused, warn).steps():
            on_step(step)
            self.materialise(step)
            done += 1
        return done

    def materialise(self, step: Step) -> None:
        """Run one step.

        Raises
        ------
        StepFailedError
            Where an asset raises or a blocking check fails.
        """
        keys = [self._key(asset) for asset in step.assets]
        self._execute(step.title, keys, _partition_tags(step.keys))

    def resume(self, unmade: Unmade) -> None:
        """Run what a run that failed has not made, and nothing else.

        Raises
        ------
        StepFailedError
            Where it fails again.
        """
        self._execute(unmade.title, list(unmade.assets), _partition_tags(unmade.keys))

    def materialise_group(self, group: str) -> None:
        """Run every asset of a group that has no study area and no partitions.

        Raises
        ------
        StepFailedError
            Where an asset raises or a blocking check fails.
        """
        graph = self.definitions.resolve_asset_graph()
        keys = [key for key in graph.get_all_asset_keys() if graph.get(key).group_name == group]
        self._execute(f"The group {group}", keys, {})

    def refused(self, asset: str) -> frozenset[str]:
        """Partitions of `<layer>/<name>` that do not count, though their files may be there.

        A blocking check refused them when it last saw them, or the run that made them was killed
        before it was through. Without partitions, it is the one key `all`.
        """
        return self._refusals.of(self._key(asset))

    @cached_property
    def _refusals(self) -> Refusals:
        return Refusals(self.definitions, self.instance)

    def _execute(self, title: str, keys: list[dg.AssetKey], tags: dict[str, str]) -> None:
        job = self.definitions.resolve_implicit_global_asset_job_def()
        run_id = str(uuid.uuid4())
        try:
            with under_way(Path(self.instance.root_directory), run_id):
                result = job.execute_in_process(
                    instance=self.instance,
                    asset_selection=keys,
                    # The daemon cannot start it again; whoever called does.
                    tags={**tags, "dagster/max_retries": "0"},
                    run_config={"loggers": {TERMINAL: {}}},
                    raise_on_error=False,
                    run_id=run_id,
                )
        finally:
            self._refusals.forget()
        if not result.success:
            said = (
                reason_of(result.all_events) or f"Run {result.run_id} in the Dagster UI says why."
            )
            raise StepFailedError(f"{title} failed. {said}")

    def _key(self, asset: str) -> dg.AssetKey:
        return dg.AssetKey([self.area.name, *asset.split("/")])


@contextmanager
def local_runner(
    definitions: dg.Definitions,
    workspace: Workspace,
    area: StudyArea,
    say: Callable[[str], object] = _LOG.warning,
) -> Iterator[Runner]:
    """Give a runner on the workspace's Dagster instance, and put in order what was killed before."""
    prepare_dagster_home(workspace.settings.dagster_home)
    with dg.DagsterInstance.get() as instance:
        if told := recover(workspace, instance).sentence:
            say(told)
        yield Runner(definitions, instance, area)


def _partition_tags(keys: tuple[str, ...]) -> dict[str, str]:
    if not keys:
        return {}
    if len(keys) == 1:
        return {"dagster/partition": keys[0]}
    return range_tags(keys[0], keys[-1])
