"""Fitted models on disk: a folder each, replaced as a whole, in formats that run no code.

Belongs here: where a model's files lie and which models there are. Does not: what is in them
(`models`), the registry (MLflow, in `defs`).

Layout: `<root>/<area>/<target>/<month>/<model>/`, where `month` is the first day on which the
model may be used.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.warehouse.partitions import this_writer

_CARD = "card.json"


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

        The old folder is moved away before the new one takes its place: a reader in between finds
        none and says so, never a mixture of two.
        """
        folder = self.folder(month, model)
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = folder.with_name(f".{model}.{this_writer()}.tmp")
        gone = folder.with_name(f".{model}.{this_writer()}.old")
        try:
            beside.mkdir()
            for name, content in files.items():
                (beside / name).write_bytes(content)
            text = json.dumps(dict(card), indent=1, sort_keys=True, default=str)
            (beside / _CARD).write_text(text)
            if folder.exists():
                folder.rename(gone)
            beside.rename(folder)
        finally:
            for rest in (beside, gone):
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
        usable = [m for m in self.months(model) if m <= day.isoformat()]
        if not usable:
            raise MissingPartitionError(
                f"No model '{model}' for {self.target} in {self.area} was trained before {day}. "
                f"Materialise {self.area}/models/{model} for {day:%Y-%m}-01 or an earlier month first."
            )
        return usable[-1]
