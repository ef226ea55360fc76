from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.features.coverage import choose_source, coverage
from htrisk_dagster.schemas import staging

REAL_DATA = Path(__file__).parents[2].parent / "shared" / "data" / "nyc"
START, STOP = date(2015, 1, 1), date(2015, 4, 11)  # 100 days


def incidents_of(**days_by_source: list[date]) -> pl.DataFrame:
    return pl.concat(
        pl.DataFrame(
            {"source": [source] * len(days), "occurred_on": days},
            schema={"source": pl.String, "occurred_on": pl.Date},
        )
        for source, days in days_by_source.items()
    )


def days(first: int, stop: int, step: int = 1) -> list[date]:
    return [START + timedelta(i) for i in range(first, stop, step)]


def mobility_of(series: str, period: str, periods: list[date]) -> pl.DataFrame:
    return staging.MOBILITY.conform(
        pl.DataFrame(
            {"series": series, "period_on": periods, "period": period, "passengers_count": 1}
        )
    )


def table_of(incidents=None, events=None, mobility=None, sources=(), lags=None) -> dict[str, dict]:
    found = coverage(
        incidents if incidents is not None else incidents_of(none=[]),
        events if events is not None else staging.EVENTS.empty(),
        mobility if mobility is not None else staging.MOBILITY.empty(),
        incident_sources=sources,
        mobility_lag_days=lags or {},
        start=START,
        stop=STOP,
    )
    return {row["source"]: row for row in found.iter_rows(named=True)}


def test_incident_sources():
    rows = table_of(
        incidents_of(
            whole=days(-400, 500),
            sparse=days(0, 100, 7),  # once a week
            short=days(0, 92),  # covers 95 days with its reach
            shorter=days(0, 91),
            sample=days(0, 100, 20),
        ),
        sources=["whole", "sparse", "short", "shorter", "sample", "none"],
    )
    assert list(rows)[:6] == ["whole", "sparse", "short", "shorter", "sample", "none"]
    figures = {k: (v["with_row_pct"], v["covered_pct"], v["status"]) for k, v in rows.items()}
    assert figures["whole"] == (100, 100, "present")
    assert figures["sparse"] == (15, 100, "present")
    assert figures["short"] == (92, 95, "present")
    assert figures["shorter"] == (91, 94, "absent")
    assert figures["sample"] == (5, 4 + 4 * 7, "absent")
    assert figures["none"] == (0, 0, "absent")
    assert rows["whole"]["first_on"] == START - timedelta(400)
    assert rows["none"]["first_on"] is None
    assert rows["none"]["reason"] == "No row."
    assert rows["shorter"]["reason"] == (
        "Rows from 2015-01-01 to 2015-04-01; 94.0% of the 100 days needed have one within 3 days, "
        "less than the 95% required."
    )


def test_events_cover_every_day_from_first_to_last():
    def events_of(spans: list[tuple[int, int]]) -> pl.DataFrame:
        return staging.EVENTS.conform(
            pl.DataFrame(
                {
                    "event_id": [str(i) for i in range(len(spans))],
                    "starts_on": [START + timedelta(a) for a, _ in spans],
                    "ends_on": [START + timedelta(b) for _, b in spans],
                    "event_type": "Fair",
                    "precinct": 1,
                    "precinct_share": 1.0,
                }
            )
        )

    whole = table_of(events=events_of([(-5, 30), (20, 49), (60, 130)]))["events"]
    assert (whole["with_row_pct"], whole["covered_pct"], whole["status"]) == (90, 90, "present")
    less = table_of(events=events_of([(-5, 30), (20, 48), (60, 130)]))["events"]
    assert (less["covered_pct"], less["status"]) == (89, "absent")


def test_mobility_is_asked_for_the_months_it_can_know():
    # With 45 days, 1 January knows up to 16 November: October. 10 April knows up to 23 February:
    # January. October to January are four months; three are 75%.
    months = [date(2014, 10, 1), date(2014, 11, 1), date(2014, 12, 1), date(2015, 1, 1)]
    whole = table_of(mobility=mobility_of("airport_jfk", "month", months), lags={"airport": 45})
    assert whole["airport_jfk"]["needed"] == 4
    assert whole["airport_jfk"]["status"] == "present"
    less = table_of(mobility=mobility_of("airport_jfk", "month", months[1:]), lags={"airport": 45})
    assert (less["airport_jfk"]["covered_pct"], less["airport_jfk"]["status"]) == (75, "absent")


def test_daily_mobility_and_its_lag():
    rows = mobility_of("transit_subway", "day", days(-2, 88))
    assert table_of(mobility=rows, lags={"transit": 2})["transit_subway"]["covered_pct"] == 90
    late = table_of(mobility=rows, lags={"transit": 0})["transit_subway"]
    assert (late["covered_pct"], late["status"]) == (88, "absent")


def test_first_present_source_is_chosen():
    table = coverage(
        incidents_of(complaints=days(0, 3), felonies=days(0, 100)),
        staging.EVENTS.empty(),
        staging.MOBILITY.empty(),
        incident_sources=["complaints", "felonies", "shootings"],
        mobility_lag_days={},
        start=START,
        stop=STOP,
    )
    assert choose_source(["complaints", "felonies"], table) == "felonies"
    assert choose_source(["felonies", "complaints"], table) == "felonies"
    assert choose_source(["complaints", "shootings"], table) is None


@pytest.mark.real_data
def test_real_shootings_are_present_though_days_pass_without_one():
    path = REAL_DATA / "complaints" / "nypd_shooting_incident_2014_2015.csv"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    occurred = pl.read_csv(path)["OCCUR_DATE"].str.to_date("%m/%d/%Y")
    found = coverage(
        incidents_of(shootings=occurred.to_list()),
        staging.EVENTS.empty(),
        staging.MOBILITY.empty(),
        incident_sources=["shootings"],
        mobility_lag_days={},
        start=date(2014, 1, 1),
        stop=date(2016, 1, 1),
    ).row(0, named=True)
    assert found["with_row_pct"] == pytest.approx(93.0, abs=0.1)
    assert (found["covered_pct"], found["status"]) == (100, "present")
