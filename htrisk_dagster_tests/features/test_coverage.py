from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.features.coverage import (
    History,
    coverage,
    coverage_table,
    coverage_to_markdown,
)
from htrisk_dagster.features.feature_matrix import Series
from htrisk_dagster.schemas import staging
from htrisk_dagster.study_areas.area import SeriesPart

REAL_DATA = Path(__file__).parents[2].parent / "shared" / "data" / "nyc"
START, STOP = date(2015, 1, 1), date(2015, 4, 11)  # 100 days


def days(first: int, stop: int, step: int = 1) -> list[date]:
    return [START + timedelta(i) for i in range(first, stop, step)]


def months(first: str, n: int, *, days_each: int = 31) -> list[date]:
    """The first days of each of `n` months from `first`, such as 2014-03."""
    year, month = map(int, first.split("-"))
    found = []
    for index in range(month - 1, month - 1 + n):
        year_of, month_of = year + index // 12, index % 12 + 1
        last = min(monthrange(year_of, month_of)[1], days_each)
        found += [date(year_of, month_of, d) for d in range(1, last + 1)]
    return found


def history_of(**days_by_source: list[date]) -> History:
    return History.of(
        pl.concat(
            pl.DataFrame({"source": source, "occurred_on": days})
            for source, days in days_by_source.items()
        )
    )


def part(*sources: str) -> SeriesPart:
    return SeriesPart(title="some", sources=sources)


def test_a_month_is_covered_with_a_row_on_three_quarters_of_its_days():
    found = history_of(
        some=months("2014-04", 1, days_each=22)  # of 30: 73.3%
        + months("2015-02", 1, days_each=21)  # of 28: 75%
        + months("2015-04", 1, days_each=23) * 2,  # of 30: 76.7%, each day twice
        other=months("2014-04", 1),
    )
    assert found.covered_months("some", date(2015, 12, 31)) == [date(2015, 2, 1), date(2015, 4, 1)]
    assert found.covered_months("some", date(2015, 3, 31)) == [date(2015, 2, 1)]
    assert found.covered_months("none", date(2015, 12, 31)) == []


@pytest.mark.parametrize(
    ("covered", "end", "start"),
    [
        (months("2014-01", 24), date(2015, 12, 31), date(2014, 1, 1)),
        # Months after the end do not count, those before do.
        (months("2014-01", 24), date(2015, 6, 1), date(2014, 1, 1)),
        (months("2015-01", 6), date(2015, 6, 30), date(2015, 1, 1)),
        (months("2015-01", 5), date(2015, 5, 31), None),
        # May to July lie between April and August.
        (months("2014-01", 16), date(2015, 7, 31), date(2014, 1, 1)),
        (months("2014-01", 16), date(2015, 8, 1), None),
        # A month without enough rows breaks the run.
        (months("2013-11", 2) + months("2014-02", 11), date(2014, 12, 31), date(2014, 2, 1)),
        (months("2013-01", 24) + months("2015-02", 5), date(2015, 6, 30), None),
        # A random sample of one day in three, for years.
        (days(-2000, 100, 3), date(2015, 4, 1), None),
    ],
)
def test_the_run_of_covered_months_that_reaches_to_the_end(covered, end, start):
    assert history_of(some=covered).run_start("some", end) == start


def test_the_first_source_with_a_run_is_chosen():
    end = date(2015, 12, 31)
    found = history_of(complaints=days(-2000, 100, 3), felonies=months("2014-01", 24))
    assert found.choose(part("complaints", "felonies"), end) == ("felonies", date(2014, 1, 1))
    assert found.choose(part("complaints", "shootings"), end) is None
    both = history_of(complaints=months("2014-06", 19), felonies=months("2014-01", 24))
    assert both.choose(part("complaints", "felonies"), end) == ("complaints", date(2014, 6, 1))
    assert both.choose(part("felonies", "complaints"), end) == ("felonies", date(2014, 1, 1))


def test_a_source_whose_run_begins_too_late_is_passed_over():
    june, end = date(2014, 6, 1), date(2015, 12, 31)
    found = history_of(complaints=months("2014-06", 19), felonies=months("2014-01", 24))
    both, may = part("complaints", "felonies"), date(2014, 5, 31)
    assert found.choose(both, end, since=may) == ("felonies", date(2014, 1, 1))
    assert found.choose(part("complaints"), end, since=may) is None
    assert found.choose(both, end, since=june) == ("complaints", june)


def mobility_of(series: str, period: str, periods: list[date]) -> pl.DataFrame:
    return staging.MOBILITY.conform(
        pl.DataFrame(
            {"series": series, "period_on": periods, "period": period, "passengers_count": 1}
        )
    )


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


def covered(events=None, mobility=None, lags=None) -> dict[str, dict]:
    found = coverage(
        events if events is not None else staging.EVENTS.empty(),
        mobility if mobility is not None else staging.MOBILITY.empty(),
        mobility_lag_days=lags or {},
        start=START,
        stop=STOP,
    )
    return {row["series"]: row for row in found.iter_rows(named=True)}


def test_events_cover_every_day_from_first_to_last():
    whole = covered(events=events_of([(-5, 30), (20, 49), (60, 130)]))["events"]
    assert (whole["covered_pct"], whole["status"]) == (90, "present")
    assert (whole["first_on"], whole["last_on"]) == (date(2014, 12, 27), date(2015, 5, 11))
    less = covered(events=events_of([(-5, 30), (20, 48), (60, 130)]))["events"]
    assert (less["covered_pct"], less["status"]) == (89, "absent")
    assert less["reason"] == (
        "Rows from 2014-12-27 to 2015-05-11; 89.0% of the 100 days needed have one, less than the "
        "90% required."
    )
    none = covered()["events"]
    assert (none["status"], none["reason"], none["first_on"]) == ("absent", "No row.", None)


def test_mobility_is_asked_for_the_months_it_can_know():
    # With 45 days, 1 January knows up to 16 November: October. 10 April knows up to 23 February:
    # January. October to January are four months; three are 75%.
    known = [date(2014, 10, 1), date(2014, 11, 1), date(2014, 12, 1), date(2015, 1, 1)]
    whole = covered(mobility=mobility_of("airport_jfk", "month", known), lags={"airport": 45})
    assert (whole["airport_jfk"]["covered_pct"], whole["airport_jfk"]["status"]) == (100, "present")
    less = covered(mobility=mobility_of("airport_jfk", "month", known[1:]), lags={"airport": 45})
    assert (less["airport_jfk"]["covered_pct"], less["airport_jfk"]["status"]) == (75, "absent")
    assert "75.0% of the 4 months needed" in less["airport_jfk"]["reason"]


def test_daily_mobility_and_its_lag():
    rows = mobility_of("transit_subway", "day", days(-2, 88))
    assert covered(mobility=rows, lags={"transit": 2})["transit_subway"]["covered_pct"] == 90
    late = covered(mobility=rows, lags={"transit": 0})["transit_subway"]
    assert (late["covered_pct"], late["status"]) == (88, "absent")


@pytest.fixture
def table(inputs_with) -> pl.DataFrame:
    """Felonies of 2014-2015, three complaints of 2014; passengers of other years, no event."""
    occurred = months("2014-01", 24)
    incidents = pl.DataFrame(
        {
            "source": ["felonies"] * len(occurred) + ["complaints"] * 3,
            "occurred_on": occurred + occurred[:3],
        }
    )
    inputs = inputs_with(
        incidents=incidents,
        target=Series("target", ("felonies",), ("robbery",)),
        series=(Series("incidents", ("felonies",)), Series("drugs", ())),
        events=staging.EVENTS.empty(),
        mobility=mobility_of("airport_jfk", "month", [date(2021, 1, 1), date(2021, 2, 1)]),
        history_start=date(2014, 1, 1),
    )
    both = part("complaints", "felonies")
    declared = {"target": both, "incidents": both, "drugs": part("complaints")}
    return coverage_table(inputs, declared, date(2015, 11, 30))


def test_the_whole_table(table):
    assert table.select("series", "kind", "source", "first_on", "last_on", "status").rows() == [
        ("target", "incidents", "felonies", date(2014, 1, 1), date(2015, 11, 30), "present"),
        ("incidents", "incidents", "felonies", date(2014, 1, 1), date(2015, 11, 30), "present"),
        ("drugs", "incidents", "complaints", None, None, "absent"),
        ("events", "events", "permitted_events", None, None, "absent"),
        # A file of other years is not a covariate of these.
        ("airport_jfk", "mobility", "airport_passengers",
         date(2021, 1, 1), date(2021, 2, 1), "absent"),
        ("transit_subway", "mobility", "transit_ridership", None, None, "absent"),
    ]  # fmt: skip
    assert table["covered_pct"].to_list() == [100, 100, 0, 0, 0, 0]
    assert (
        table["reason"][0] == "felonies covers 100% of the 23 months from 2014-01-01 to 2015-11-30."
    )
    assert table["reason"][2] == (
        "complaints covers 0% of the 23 months from 2014-01-01 to 2015-11-30. A run of 6 months or "
        "more is needed, from the first to within 3 of the last, each with a row on 75% of days."
    )


def test_in_markdown_series_of_one_source_share_a_row(table):
    lines = coverage_to_markdown(table).splitlines()
    assert len(lines) == 2 + 5
    assert lines[0] == "| series | source | first day | last day | status | why |"
    assert lines[2].startswith(
        "| target, incidents | felonies | 2014-01-01 | 2015-11-30 | present |"
    )
    assert lines[3].startswith("| drugs | complaints | – | – | absent | complaints covers 0% of")
    assert {line.count("|") for line in lines} == {7}


def days_of_file(path: Path, column: str) -> list[date]:
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    text = pl.read_csv(path, infer_schema=False)[column]
    return text.str.to_date("%m/%d/%Y", strict=False).drop_nulls().to_list()


@pytest.mark.real_data
def test_real_shootings_cover_two_years_though_days_pass_without_one():
    path = REAL_DATA / "complaints" / "nypd_shooting_incident_2014_2015.csv"
    occurred = days_of_file(path, "OCCUR_DATE")
    assert len(set(occurred)) / 730 == pytest.approx(0.93, abs=0.001)
    found = history_of(shootings=occurred)
    assert found.run_start("shootings", date(2015, 12, 31)) == date(2014, 1, 1)
    assert found.months["day_share"].min() == pytest.approx(26 / 31)


@pytest.mark.real_data
def test_a_real_random_sample_of_complaints_covers_nothing():
    path = REAL_DATA / "complaints" / "nypd_complaint_historic_35col_random2000_samado.csv"
    found = history_of(complaints=days_of_file(path, "CMPLNT_FR_DT"))
    assert found.months["day_share"].max() < 0.75
    assert found.run_start("complaints", date(2015, 12, 31)) is None
