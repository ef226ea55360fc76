from __future__ import annotations

import polars as pl
import pytest
from htrisk_dagster.publishing.public_mix import OTHER, publish_offence_mix
from htrisk_dagster.schemas.published import OFFENCE_MIX

COUNTS = {
    "A": {"Theft": 60, "Assault": 30, "Arson": 10},
    "B": {"Theft": 20, "Assault": 180, "Arson": 0},
}
PREDICTED = {"A": (0.5, 0.4, 0.1), "B": (0.2, 0.79, 0.01)}


def mix_of(counts: dict[str, dict[str, int]]) -> pl.DataFrame:
    rows = [
        (agency, part, False, category, PREDICTED[agency][i], n / sum(of_agency.values()))
        for agency, of_agency in counts.items()
        for part in ("night", "evening")
        for i, (category, n) in enumerate(of_agency.items())
    ]
    schema = [
        "agency_id",
        "day_part",
        "is_weekend",
        "offence_category",
        "offence_prob",
        "past_share",
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def offences_of(counts: dict[str, dict[str, int]]) -> pl.DataFrame:
    totals = {agency: sum(c.values()) for agency, c in counts.items()}
    return pl.DataFrame({"agency_id": list(totals), "count": list(totals.values())})


def published(counts: dict[str, dict[str, int]]) -> dict[str, tuple[float, float]]:
    found = publish_offence_mix(mix_of(counts), offences_of(counts))
    assert OFFENCE_MIX.problems(found) == []
    night = found.filter(day_part="night")
    return {
        c: (p, h)
        for c, p, h in night.select("offence_category", "predicted_pct", "historical_pct").rows()
    }


def test_agencies_count_by_their_offences():
    """100 and 200 offences: theft is 80 of 300, and predicted as (50 + 40) of 300."""
    large = {a: {k: 10 * n for k, n in c.items()} for a, c in COUNTS.items()}
    found = published(large)
    assert found["Theft"] == pytest.approx((100 * 90 / 300, 100 * 80 / 300))
    assert found["Arson"] == pytest.approx((100 * 12 / 300, 100 * 10 / 300))
    assert sum(p for p, _ in found.values()) == pytest.approx(100)
    assert sum(h for _, h in found.values()) == pytest.approx(100)


def test_a_small_category_goes_with_the_next_so_that_neither_is_told():
    """10 cases of arson are too few; with the 80 thefts they are 90."""
    found = published(COUNTS)
    assert set(found) == {"Assault", OTHER}
    assert found[OTHER][1] == pytest.approx(100 * 90 / 300)
    assert found[OTHER][0] == pytest.approx(100 * (60 + 42) / 300)


def test_eleven_are_told_and_few_in_all_are_not():
    eleven = {"A": {"Theft": 60, "Assault": 29, "Arson": 11}}
    assert set(published(eleven)) == {"Theft", "Assault", "Arson"}
    few = {"A": {"Theft": 8, "Assault": 1, "Arson": 1}}
    assert publish_offence_mix(mix_of(few), offences_of(few)).is_empty()
