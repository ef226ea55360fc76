"""One command's worth of Dagster runs: what is out of date, in order, each range in one run.

Belongs here: the plan of `htrisk run` and its execution in this process. Does not: what an asset
does, the command line (`cli.py`).

Dagster runs one partitions definition at a time, so a run from raw to map is a short list of
steps. A step takes only partitions whose stored fingerprint differs from what they would be made
from now: a second run does only what changed, and an interrupted one goes on where it stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg

from htrisk_dagster.defs.assets.models import DESCRIPTIONS as MODELS
from htrisk_dagster.defs.assets.raw import BY_MONTH, DECLARED, WHOLE
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.forecast import map_path
from htrisk_dagster.defs.partitions import days_of, months_of
from htrisk_dagster.defs.trained import CHAMPION, months_for, training_days
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import HtriskError
from htrisk_dagster.schemas import grid, predictions, raw, staging
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea


class StepFailedError(HtriskError):
    """A step of a run failed; the message says which, why, and where its log is."""


@dataclass(frozen=True)
class Step:
    """Assets to materialise together in one Dagster run.

    Parameters
    ----------
    title : str
        For people.
    assets : tuple of str
        `<layer>/<name>` within the study area.
    keys : tuple of str
        Partitions, a range without gaps; empty for assets without time.
    """

    title: str
    assets: tuple[str, ...]
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class RangeRun:
    """A run from raw to comparison for a range of days.

    Parameters
    ----------
    definitions : dagster.Definitions
    instance : DagsterInstance
    workspace : Workspace
    area : StudyArea
    start, end : date
        First and last day to make a map for.
    """

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    workspace: Workspace
    area: StudyArea
    start: date
    end: date

    def steps(self) -> Iterator[Step]:
        """Steps that are out of date, each decided only when those before have been done."""
        yield from self._raw()
        yield from self._placed()
        month = f"{self.start:%Y-%m}-01"
        yield from self._features(month)
        yield from self._models(month)
        yield from self._scored()
        yield from self._evaluated()

    def execute(self, on_step: Callable[[Step], None]) -> int:
        """Run every step that is out of date; return how many there were.

        Raises
        ------
        StepFailedError
            Where a step fails. What was done before it stays; nothing after it is touched.
        """
        done = 0
        for step in self.steps():
            on_step(step)
            self._materialise(step)
            done += 1
        return done

    def _materialise(self, step: Step) -> None:
        selection = [dg.AssetKey([self.area.name, *a.split("/")]) for a in step.assets]
        tags = {}
        if step.keys:
            tags = {
                "dagster/asset_partition_range_start": step.keys[0],
                "dagster/asset_partition_range_end": step.keys[-1],
            }
            if len(step.keys) == 1:
                tags = {"dagster/partition": step.keys[0]}
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        result = self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance, asset_selection=selection, tags=tags, raise_on_error=False
        )
        if not result.success:
            raise StepFailedError(f"{step.title} failed: {_reason(result)}")

    def _raw(self) -> Iterator[Step]:
        store, made = self.workspace.tables(self.area.name), MadeFrom(self.workspace, self.area)
        months = months_of(self._first_raw_month(), self.end)
        stale = [
            t for t in BY_MONTH
            if _differs(store.made_from(t), {m: made.raw(t, months) for m in months})
        ]
        if stale:
            yield Step("Read reports, events and riders", _names(stale), tuple(months))
        declared = [t for t in DECLARED if _differs(store.made_from(t), {"all": made.declared()})]
        whole = [t for t in WHOLE if _differs(store.made_from(t), {"all": made.raw(t, months)})]
        restricted = self.workspace.restricted(self.area.name).made_from(raw.VERIFIED_CASES)
        if _differs(restricted, {"all": made.raw(raw.VERIFIED_CASES, months)}):
            whole.append(raw.VERIFIED_CASES)
        if declared or whole:
            yield Step("Read boundaries, passengers, holidays and cases", _names([*declared, *whole]))

    def _first_raw_month(self) -> date:
        settings = self.workspace.settings
        if settings.history_start:
            return settings.history_start
        if settings.origin == "api":
            # Two full years before the first map: long windows and folds.
            return date(self.start.year - 2, self.start.month, 1)
        return self.area.first_day

    def _placed(self) -> Iterator[Step]:
        store, made = self.workspace.tables(self.area.name), MadeFrom(self.workspace, self.area)
        if _differs(store.made_from(staging.INCIDENTS), {"all": made.staging()}):
            tables = ("staging/incidents", "staging/events", "staging/mobility")
            marts = ("marts/incidents_daily", "marts/reporting_delay")
            yield Step("Stage and test with dbt", (*tables, *marts))
            made = MadeFrom(self.workspace, self.area)
        if _differs(store.made_from(grid.CELLS), {"all": made.cells()}):
            yield Step("Cut the city into cells", ("grid/cells",))
            made = MadeFrom(self.workspace, self.area)
        placed = store.made_from(grid.INCIDENT_CELLS)
        if not placed or _differs(placed, dict.fromkeys(placed, made.incident_cells())):
            yield Step("Place incidents", ("grid/incident_cells",))
        counts = store.made_from(staging.VERIFIED_CASE_COUNTS)
        if _differs(counts, {"all": made.verified_counts()}):
            yield Step("Count verified cases", ("staging/verified_case_counts",))

    def _features(self, month: str) -> Iterator[Step]:
        store, made = self.workspace.tables(self.area.name), MadeFrom(self.workspace, self.area)
        training = training_days(self.workspace, self.area, month)
        days = sorted({*training, *days_of(self.start, self.end)})
        from htrisk_dagster.defs.featured import features_table

        stored = store.made_from(features_table(self.area))
        stale = [d for d in days if stored.get(d) != made.features(d)]
        for run in _runs(stale):
            yield Step(f"Features of {len(run)} days", ("features/cell_day",), run)

    def _models(self, month: str) -> Iterator[Step]:
        models = self.workspace.models(self.area)
        wanted = MadeFrom(self.workspace, self.area).models(month)
        stale = [m for m in MODELS if models.card(month, m).get("made_from") != wanted]
        chosen = models.card(month, CHAMPION).get("made_from") == wanted
        for model in stale:
            yield Step(f"Train {model}", (f"models/{model}",), (month,))
        if stale or not chosen:
            yield Step("Choose the champion", ("models/champion",), (month,))

    def _scored(self) -> Iterator[Step]:
        store = self.workspace.tables(self.area.name)
        days = days_of(self.start, self.end)
        made = MadeFrom(self.workspace, self.area)
        months = {d: months_for(self.workspace, self.area, date.fromisoformat(d), list(MODELS)) for d in days}
        forecasts = {d: made.forecasts(d, months[d]) for d in days}
        yield from self._days("Forecast", "predictions/model_forecasts", predictions.MODEL_FORECASTS, forecasts)
        made = MadeFrom(self.workspace, self.area)
        risk = {d: made.risk(d) for d in days}
        yield from self._days("Risk", "predictions/cell_day_risk", predictions.CELL_DAY_RISK, risk)
        del store
        maps = [d for d in days if not self._map_is_current(d)]
        for run in _runs(maps):
            yield Step(f"Maps of {len(run)} days", ("publishing/risk_map",), run)

    def _days(
        self, title: str, asset: str, table: Table, wanted: dict[str, str]
    ) -> Iterator[Step]:
        stored = self.workspace.tables(self.area.name).made_from(table)
        stale = [d for d, digest in wanted.items() if stored.get(d) != digest]
        for run in _runs(stale):
            yield Step(f"{title} of {len(run)} days", (asset,), run)

    def _map_is_current(self, day: str) -> bool:
        path = map_path(self.workspace, self.area, day)
        digest = MadeFrom(self.workspace, self.area).risk_map(day)
        return path.is_file() and digest in path.read_text(encoding="utf-8")

    def _evaluated(self) -> Iterator[Step]:
        store, made = self.workspace.tables(self.area.name), MadeFrom(self.workspace, self.area)
        if _differs(store.made_from(predictions.MODEL_COMPARISON), {"all": made.comparison()}):
            yield Step(
                "Compare the models", ("evaluation/model_comparison", "evaluation/thresholds")
            )


def _differs(stored: object, wanted: dict[str, str]) -> bool:
    assert isinstance(stored, dict)
    return any(stored.get(key) != digest for key, digest in wanted.items())


def _names(tables: Iterable[Table]) -> tuple[str, ...]:
    return tuple(f"{t.layer}/{t.name}" for t in tables)


def _runs(days: Sequence[str]) -> list[tuple[str, ...]]:
    """Cut days into runs without gaps."""
    found: list[list[str]] = []
    for day in days:
        previous = date.fromisoformat(found[-1][-1]) if found else None
        if previous and (date.fromisoformat(day) - previous).days == 1:
            found[-1].append(day)
        else:
            found.append([day])
    return [tuple(run) for run in found]


def _reason(result: dg.ExecuteInProcessResult) -> str:
    """The innermost error of a failed run, or the blocking checks that failed."""
    sentences = []
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error:
            error = event.step_failure_data.error
            while error.cause is not None:
                error = error.cause
            sentences.append(error.message.strip())
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            evaluation = event.event_specific_data
            if not evaluation.passed:
                sentences.append(f"Check {evaluation.check_name}: {evaluation.description}")
    return " ".join(sentences) or f"see run {result.run_id} in the Dagster UI."
