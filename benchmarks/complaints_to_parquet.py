"""Raw complaint files in the publisher's layout to canonical Parquet, against pandas.

The usual way reads the columns it needs as text, which these files ask for (codes such as `75.0`,
`(null)`), parses with pandas' vectorised functions and applies the same rules, each as a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.city_inputs import TIME_ZONE, publish
from benchmarks.sides import Answer, Row, Side, Target

_FIELDS = ["CMPLNT_NUM", "CMPLNT_FR_DT", "CMPLNT_FR_TM", "RPT_DT", "KY_CD", "PD_CD", "OFNS_DESC",
           "LAW_CAT_CD", "BORO_NM", "ADDR_PCT_CD", "Latitude", "Longitude"]  # fmt: skip
_LOST = r"[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
COLUMNS = ("report_id", "occurred_at", "occurred_on", "reported_on", "offence_code",
           "offence_detail_code", "offence", "law_category", "borough", "precinct", "lon", "lat")  # fmt: skip


def _ours(folder: Path) -> Callable[[], object]:
    from htrisk_dagster.sources import intake

    def work() -> object:
        out = folder / "ours.parquet"
        intake.read("complaints", folder / "city", time_zone=TIME_ZONE).kept.write_parquet(out)
        return out

    return work


def _pandas(folder: Path) -> Callable[[], object]:
    import pandas as pd
    from htrisk_dagster.sources.incidents import NYC_BOROUGHS
    from htrisk_dagster.sources.intake import NEW_YORK
    from htrisk_dagster.sources.nypd_complaints import LAW_CATEGORIES

    def one_file(path: Path) -> pd.DataFrame:
        text = pd.read_csv(
            path, dtype=str, usecols=_FIELDS, na_values=["(null)", "NA", ""], keep_default_na=False
        ).apply(lambda column: column.str.strip())

        def number(column: str) -> pd.Series:
            return pd.to_numeric(text[column].str.replace(",", ""), errors="coerce")

        day = pd.to_datetime(text["CMPLNT_FR_DT"], format="%m/%d/%Y", errors="coerce")
        reported = pd.to_datetime(text["RPT_DT"], format="%m/%d/%Y", errors="coerce")
        clock = pd.to_timedelta(text["CMPLNT_FR_TM"].fillna("00:00:00"), errors="coerce")
        local = (day + clock).dt.tz_localize(
            TIME_ZONE, ambiguous=True, nonexistent=pd.Timedelta("1h")
        )
        lon, lat = number("Longitude"), number("Latitude")
        has_point = lon.notna() & lat.notna() & ((lon != 0) | (lat != 0))
        frame = pd.DataFrame(
            {
                "report_id": text["CMPLNT_NUM"].str.replace(r"\.0+$", "", regex=True),
                "occurred_at": local.dt.tz_convert("UTC").dt.tz_localize(None),
                "occurred_on": day,
                "reported_on": reported,
                "offence_code": number("KY_CD").astype("Int32"),
                "offence_detail_code": number("PD_CD").astype("Int32"),
                "offence": text["OFNS_DESC"],
                "law_category": text["LAW_CAT_CD"].str.lower(),
                "borough": text["BORO_NM"].str.upper(),
                "precinct": number("ADDR_PCT_CD").astype("Int32"),
                "lon": lon.where(has_point),
                "lat": lat.where(has_point),
            }
        )
        pulled = pd.Timestamp(path.stat().st_mtime, unit="s").normalize() + pd.Timedelta("1D")

        def absent_or(column: str, good: pd.Series) -> pd.Series:
            return frame[column].isna() | good.fillna(value=False)

        good = (
            frame["report_id"].str.fullmatch(r"\d[0-9A-Za-z]{0,19}").fillna(value=False)
            & day.notna() & (day >= "2000-01-01") & (day <= pulled)
            & clock.notna()
            & reported.notna() & (reported >= day) & (reported <= pulled)
            & absent_or("offence_code", frame["offence_code"].between(100, 999))
            & absent_or("offence_detail_code", frame["offence_detail_code"].between(100, 9999))
            & absent_or("precinct", frame["precinct"].between(1, 150))
            & absent_or("offence", frame["offence"].str.contains("[A-Za-z]"))
            & absent_or("law_category", frame["law_category"].isin(LAW_CATEGORIES))
            & absent_or("borough", frame["borough"].isin(NYC_BOROUGHS))
            & absent_or("lat", frame["lat"].between(NEW_YORK.south, NEW_YORK.north))
            & absent_or("lon", frame["lon"].between(NEW_YORK.west, NEW_YORK.east))
        )  # fmt: skip
        for column in ("KY_CD", "PD_CD", "ADDR_PCT_CD", "Latitude", "Longitude"):
            good &= text[column].isna() | number(column).notna()
        for column in _FIELDS:
            value = text[column]
            formula = value.str.match(r"[=+@\-].") & pd.to_numeric(value, errors="coerce").isna()
            unsafe = value.str.contains(_LOST) | (value.str.len() > 1000) | formula
            good &= ~unsafe.fillna(value=False).astype(bool)
        return frame[good]

    def work() -> object:
        files = sorted((folder / "city" / "complaints").glob("*.csv"))
        out = folder / "usual.parquet"
        pd.concat([one_file(path) for path in files], ignore_index=True).to_parquet(out)
        return out

    return work


def _answer(path: object) -> Answer:
    """A number of each row and column, sorted by the publisher's number."""
    import numpy as np
    import polars as pl

    assert isinstance(path, Path)
    rows = pl.read_parquet(path, columns=list(COLUMNS)).select(
        "report_id", "lon", "lat",
        pl.col("occurred_at").cast(pl.Datetime("us")).dt.epoch("us"),
        *(pl.col(name).cast(pl.Date).dt.epoch("d") for name in ("occurred_on", "reported_on")),
        *(pl.col(name).cast(pl.Int64).fill_null(-1)
          for name in ("offence_code", "offence_detail_code", "precinct")),
        *(pl.col(name).fill_null("").cast(pl.String)
          for name in ("offence", "law_category", "borough")),
    )  # fmt: skip
    rows = rows.sort(rows.columns)
    return {
        name: np.array(rows[name].hash(seed=0)) if rows[name].dtype == pl.String
        else rows[name].to_numpy()
        for name in rows.columns
    }  # fmt: skip


ROW = Row(
    work="raw CSV (1.66 M complaints, official layout) → canonical Parquet",
    prepare=publish,
    ours=Side("intake", _ours, _answer),
    usual=Side("pandas", _pandas, _answer),
    target=Target(ratio=5, peak_gb=1.5),
    note="Ours also writes each refused row's rule and value, and file, row and day of every row.",
)
