from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.sources.synthetic_city import PRESETS, write_city

HISTORIC = "complaints/NYPD_Complaint_Data_Historic.csv"
YEAR_TO_DATE = "complaints/NYPD_Complaint_Data_Current_Year_To_Date.csv"
SEED = 20_260


@dataclass(frozen=True)
class City:
    """A written `tiny` city: its folder, what was returned, and its complaints as text."""

    folder: Path
    rows: dict[str, int]
    historic: pl.DataFrame
    year_to_date: pl.DataFrame

    @property
    def complaints(self) -> pl.DataFrame:
        """One row a number, dates typed, without the row that bears the bad date."""
        both = pl.concat([self.historic, self.year_to_date.select(self.historic.columns)])
        return (
            both.unique("CMPLNT_NUM", maintain_order=True)
            .with_columns(pl.col("CMPLNT_FR_DT", "RPT_DT").str.to_date("%m/%d/%Y"))
            .filter(pl.col("CMPLNT_FR_DT").dt.year() > 2000)
        )

    def truth(self) -> dict[str, np.ndarray]:
        with np.load(self.folder / "truth/intensity.npz") as arrays:
            return dict(arrays)


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    folder = tmp_path_factory.mktemp("synthetic") / "city"
    rows = write_city(folder, PRESETS["tiny"], SEED)
    return City(
        folder,
        rows,
        pl.read_csv(folder / HISTORIC, infer_schema=False),
        pl.read_csv(folder / YEAR_TO_DATE, infer_schema=False),
    )
