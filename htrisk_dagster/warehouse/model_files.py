"""Fitted models on disk: a folder each, replaced as a whole, in formats that run no code.

Belongs here: where a model's files lie and which models there are. Does not: what is in them
(`models`), the registry (MLflow, in `defs`).

Layout: `<root>/<area>/<target>/<month>/<model>/`, where `month` is the first day on which the
model may be used.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.warehouse.leftovers import ASIDE, beside

_CARD = "card.json"
# From Linux's own headers, linux/fs.h and fcntl.h.
_RENAME_EXCHANGE, _AT_FDCWD = 2, -100


@dataclass(frozen=True)
class ModelFiles:
    """The models of one study area and target.

    Parameters
    ----------
    root : Path
        Folder of all models.
    area, target : str
        Study area and target.
    """

    root: Path
    area: str
    target: str

    def folder(self, month: str, model: str) -> Path:
        """Folder of one model."""
        return self.root / self.area / self.target / month / model

    def write(
        self, month: str, model: str, files: Mapping[str, bytes], card: Mapping[str, Any]
    ) -> Path:
        """Replace one model; `card` says what it was made from and how it did.

        The new folder changes places with the old one at once, so that a reader and a kill find the
        one or the other. A file system that cannot do that has none for a moment; what was moved
        aside is put back by `leftovers.sweep`.
        """
        folder = self.folder(month, model)
        folder.parent.mkdir(parents=True, exist_ok=True)
        new, gone = beside(folder), beside(folder, ASIDE)
        text = json.dumps(dict(card), indent=1, sort_keys=True, default=str)
        try:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            for name, content in {**files, _CARD: text.encode()}.items():
                _write_synced(new / name, content)
            if not folder.exists():
                new.rename(folder)
            elif not _exchanged(new, folder):
                folder.rename(gone)
                new.rename(folder)
        finally:
            for rest in (new, gone):
                shutil.rmtree(rest, ignore_errors=True)
        return folder

    def read(self, month: str, model: str) -> dict[str, bytes]:
        """Files of one model by name, the card left out."""
        folder = self.folder(month, model)
        if not folder.is_dir():
            raise MissingPartitionError(
                f"There is no model '{model}' for {self.target} in {self.area} from {month} "
                f"({folder} is absent). Materialise {self.area}/models/{model} for {month} first."
            )
        return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.name != _CARD}

    def card(self, month: str, model: str) -> dict[str, Any]:
        """What was written with one model; empty where there is none."""
        path = self.folder(month, model) / _CARD
        return dict(json.loads(path.read_text())) if path.is_file() else {}

    def months(self, model: str) -> list[str]:
        """Months from which a model of this name may be used, in order."""
        return sorted(p.parent.name for p in self.root.glob(f"{self.area}/{self.target}/*/{model}"))

    def names(self, month: str) -> list[str]:
        """Names of the models of one month, in order of name."""
        cards = (self.root / self.area / self.target / month).glob(f"[!.]*/{_CARD}")
        return sorted(card.parent.name for card in cards)

    def newest_month(self, model: str, day: date) -> str:
        """Newest month whose model may be used for `day`: its training ended before it.

        Raises
        ------
        MissingPartitionError
            Where every model of this name is younger than `day`, or there is none.
        """
        return self.newest_months(model, [day])[0]

    def newest_months(self, model: str, days: Iterable[date]) -> list[str]:
        """`newest_month` of each day, from one look at the months there are."""
        months = self.months(model)
        newest = []
        for day in days:
            n_usable = bisect_right(months, day.isoformat())
            if n_usable == 0:
                raise MissingPartitionError(
                    f"No model '{model}' for {self.target} in {self.area} was trained before {day}. "
                    f"Materialise {self.area}/models/{model} for {day:%Y-%m}-01 or an earlier month "
                    "first."
                )
            newest.append(months[n_usable - 1])
        return newest


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _exchanged(one: Path, other: Path) -> bool:
    """Let two folders change places at once; False where the system cannot.

    https://man7.org/linux/man-pages/man2/rename.2.html
    """
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    paths = (os.fsencode(one), os.fsencode(other))
    return bool(rename(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0)
