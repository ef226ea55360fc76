from __future__ import annotations

from datetime import date

from htrisk_dagster.sources.holiday_calendar import holidays_between, holidays_of_state


def names(start: date, end: date, jurisdiction: str) -> dict[date, str]:
    frame = holidays_between(start, end).filter(jurisdiction=jurisdiction)
    return dict(frame.select("holiday_on", "name").rows())


def test_federal_days_of_2021_are_those_of_the_statute():
    """5 U.S.C. 6103; 19 June 2021 was a Saturday, 4 July a Sunday, 25 December a Saturday."""
    statute = {(1, 1), (1, 18), (2, 15), (5, 31), (6, 19), (7, 4), (9, 6), (10, 11), (11, 11),
               (11, 25), (12, 25)}  # fmt: skip
    observed = {(6, 18), (7, 5), (12, 24), (12, 31)}  # the last for New Year's Day of 2022
    found = names(date(2021, 1, 1), date(2021, 12, 31), "US")
    assert {(day.month, day.day) for day in found} == statute | observed
    assert "observed" in found[date(2021, 7, 5)]


def test_the_state_adds_its_own_days():
    """New York General Construction Law, section 24: 12 February and Election Day."""
    year = (date(2021, 1, 1), date(2021, 12, 31))
    state, federal = names(*year, "US-NY"), names(*year, "US")
    assert date(2021, 2, 12) in state
    assert date(2021, 11, 2) in state
    assert date(2021, 2, 12) not in federal
    assert date(2021, 11, 25) in state


def test_both_ends_are_included_and_days_are_in_order():
    frame = holidays_between(date(2015, 7, 3), date(2015, 12, 25))
    assert frame["holiday_on"].is_sorted()
    assert frame["holiday_on"].min() == date(2015, 7, 3)  # 4 July 2015 was a Saturday
    assert frame["holiday_on"].max() == date(2015, 12, 25)
    assert holidays_between(date(2015, 8, 1), date(2015, 8, 31)).is_empty()


def test_a_state_adds_days_of_its_own_to_the_countrys():
    found = holidays_of_state("CT", date(2021, 1, 1), date(2021, 12, 31))
    assert found[date(2021, 4, 2)] == "Good Friday"  # Connecticut General Statutes, section 1-4
    assert found[date(2021, 12, 24)] == "Christmas Day (observed)"
    assert date(2021, 4, 2) not in holidays_of_state("NY", date(2021, 1, 1), date(2021, 12, 31))
    assert list(found) == sorted(found)
    assert holidays_of_state("CT", date(2021, 12, 31), date(2021, 12, 31)) == {
        date(2021, 12, 31): "New Year's Day (observed)"
    }
