"""A site that cannot be reached for a week, then is back: the maps of each day, and of all after it.

Belongs here: the days, and what must hold on each. Does not: the site (`small_site`), how a source that
cannot be asked is gone on without (`defs/plan.py`), the words on a stale map (`publishing/map_words.py`).

A day's features are of reports before its cutoff. While the site is silent those of the last days are
missing, so the maps differ from those of a city whose site never fell silent, and must say so. When all
has been fetched, the maps of the same days must be those of that city to the byte.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from unittest.mock import patch

import stamina

from htrisk_dagster.definitions import build_definitions
from htrisk_dagster.defs import retries
from htrisk_dagster.defs.forecast import map_path
from htrisk_dagster.defs.partitions import days_of, months_of
from htrisk_dagster.defs.plan import Step
from htrisk_dagster.defs.runs import Runner, StepFailedError, local_runner
from htrisk_dagster.defs.staged import DBT_TABLES
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.faults.ending import CAUGHT_UP, Ending, is_sentence, judged
from htrisk_dagster.faults.small_site import SmallSite, complaints_as_served, serving
from htrisk_dagster.schemas import predictions, raw
from htrisk_dagster.settings import Settings, load_settings
from htrisk_dagster.sources.synthetic_city.city import write_city
from htrisk_dagster.sources.synthetic_city.complaint_files import HISTORIC, YEAR_TO_DATE
from htrisk_dagster.sources.synthetic_city.presets import Preset

LAST_HEARD = date(2024, 4, 3)
SILENT = tuple(LAST_HEARD + timedelta(days=i) for i in range(1, 8))
_DATA_SETS = {HISTORIC: "qgea-i56i", YEAR_TO_DATE: "5uac-w243"}
_FIRST_DAY = date(2023, 9, 1)
_STALE = "STALE DATA"
_REPORTS = ("raw/complaints",)
# The schedule's jobs of a morning, in their order.
_STAGED = tuple(f"{t.layer}/{t.name}" for t in DBT_TABLES)
_PLACED = ("grid/incident_cells",)
_SCORED = (
    "features/cell_day", "predictions/model_forecasts", "predictions/cell_day_risk",
    "publishing/risk_map",
)  # fmt: skip


def endings(folder: Path) -> Iterable[Ending]:
    """Make a small city with models in `folder`, and let its site fall silent."""
    published = folder / "published"
    write_city(published, Preset("silent", _FIRST_DAY, date(2024, 4, 12), 150), seed=7)
    (published / "city.json").unlink()
    shutil.rmtree(published / "truth")
    settings = load_settings(
        origin="files",
        data_dir=published,
        home=folder / "home",
        profile="smoke",
        history_start=_FIRST_DAY,
    )
    workspace = Workspace(settings)
    area = workspace.area("nyc")
    with local_runner(build_definitions(settings, ["nyc"]), workspace, area) as runner:
        day = date(2024, 4, 1)
        runner.run_range(workspace, day, day, lambda step: None)
    return [silent_week(settings, folder)]


def silent_week(settings: Settings, folder: Path, mornings: Sequence[date] = SILENT) -> Ending:
    """Let the site of a city fall silent for a week, and compare with a city whose site never did.

    Parameters
    ----------
    settings : Settings
        Of a city of files with models for April 2024; it is copied, not changed.
    folder : Path
        Where the two live cities are made.
    mornings : sequence of date
        Consecutive mornings on which the site does not answer.
    """
    assert settings.data_dir is not None, "a city of files"
    rows = {id_: complaints_as_served(settings.data_dir / p) for p, id_ in _DATA_SETS.items()}
    maps = days_of(mornings[0] + timedelta(days=1), mornings[-1] + timedelta(days=1))
    back = mornings[-1] + timedelta(days=1)
    with (
        serving(SmallSite(rows, LAST_HEARD)) as site,
        stamina.set_testing(True, attempts=8),  # as often as ever, without waiting
        patch.object(retries, "FIRST_WAIT_S", 0.0),
    ):
        with _copied(settings, folder / "disturbed", site.url).opened() as city:
            city.read(LAST_HEARD)
            site.is_silent = True
            said, stale = [], []
            for today, day in zip(mornings, maps, strict=True):
                said.append(city.refused(today))
                city.score([day])
                stale.append(_STALE in city.page(day))
            while_silent = city.made(maps)
            site.is_silent, site.released_until = False, back
            city.read(back)
            city.score(maps)
            after, still_stale = city.made(maps), [d for d in maps if _STALE in city.page(d)]
        with _copied(settings, folder / "undisturbed", site.url).opened() as city:
            city.read(back)
            city.score(maps)
            undisturbed = city.made(maps)
    wrong = [f"no sentence: {text!r}" for text in said if not is_sentence(text)]
    # On the first day nothing is missing yet: its cutoff is the day after the last report.
    if stale != [False] + [True] * (len(maps) - 1):
        wrong.append(f"maps that say they are stale: {stale}")
    if still_stale:
        wrong.append(f"stale after it was back: {still_stale}")
    if differing := [name for name in undisturbed if after[name] != undisturbed[name]]:
        wrong.append(f"other bytes than without it: {differing}")
    changed = sum(while_silent[name] != after[name] for name in after if name.startswith("map"))
    came = (
        f"{said[0]} {len(maps)} maps from what was known, {sum(stale)} of them say STALE DATA; {changed} "
        f"were made anew, and all {len(after)} files are those of a city whose site was never silent"
    )
    done = f"{len(mornings)} mornings without an answer"
    return judged("API silent for a week, then back", done, came, wrong, CAUGHT_UP)


def _copied(settings: Settings, home: Path, url: str) -> _City:
    """The city with its models as one of the live origin, without any history of runs."""
    changed = {"origin": "api", "home": home, "data_dir": None, "open_data_url": url}
    city = _City(settings.model_copy(update=changed))
    ignored = shutil.ignore_patterns("mlflow", "dagster", "published")
    shutil.copytree(settings.workspace, city.settings.workspace, ignore=ignored)
    return city


@dataclass
class _City:
    """The live origin of a city whose models are made, on a day that can be set."""

    settings: Settings
    today: date = LAST_HEARD
    runner: Runner = field(init=False)
    workspace: Workspace = field(init=False)

    @contextmanager
    def opened(self) -> Iterator[_City]:
        """Open its run history."""
        self.workspace = Workspace(self.settings, lambda: self.today)
        definitions = build_definitions(self.settings, ["nyc"], today=lambda: self.today)
        area = self.workspace.area("nyc")
        with local_runner(definitions, self.workspace, area) as self.runner:
            yield self

    def read(self, today: date) -> None:
        """Fetch and place the reports up to a day."""
        self.today = today
        months = months_of(_FIRST_DAY, today)
        self.workspace.source_folder(self.runner.area, raw.COMPLAINTS, months)
        # Pages bear the day of the machine; the city's own is another.
        noon = datetime.combine(today, time(12), UTC).timestamp()
        for path in (self.settings.workspace / "pulls").rglob("*.json.gz"):
            os.utime(path, (noon, noon))
        self.runner.materialise(Step("Read reports", _REPORTS, tuple(months)))
        for assets in (_STAGED, _PLACED):
            self.runner.materialise(Step(f"Make {assets[0]}", assets))

    def refused(self, today: date) -> str:
        """What the morning's fetching says on a day; empty where it goes well."""
        self.today = today
        try:
            self.runner.materialise(Step("Read reports", _REPORTS, (f"{today:%Y-%m}-01",)))
        except StepFailedError as error:
            return str(error)
        return ""

    def score(self, days: Sequence[str]) -> None:
        """Make the maps of consecutive days."""
        self.runner.materialise(Step(f"Maps of {days[0]}", _SCORED, tuple(days)))

    def page(self, day: str) -> str:
        """Page of one day's map."""
        return map_path(self.workspace, self.runner.area, day).read_text(encoding="utf-8")

    def made(self, days: Sequence[str]) -> dict[str, bytes]:
        """Forecasts, risk and maps of some days."""
        store = self.workspace.tables("nyc")
        tables = (predictions.MODEL_FORECASTS, predictions.CELL_DAY_RISK)
        files = {f"{t.name} {d}": store.path(t, d) for t in tables for d in days}
        files |= {f"map {d}": map_path(self.workspace, self.runner.area, d) for d in days}
        return {name: path.read_bytes() for name, path in files.items()}
