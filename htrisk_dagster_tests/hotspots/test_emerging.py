"""Every class on a series made by hand. H is a hot period, C a cold one, a dot neither."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.hotspots.emerging import emerging_hot_spots
from htrisk_dagster.schemas.hotspots import PATTERNS

STEADY = np.array([0.0, 1.0] * 10)
RISING = np.arange(20.0)
# Hot halves of the classes: name, periods, z by period.
HOT_SERIES = {
    "new": ("...................H", STEADY),
    "consecutive": ("................HHHH", STEADY),
    "intensifying": ("HHHHH.HHHHHH.HHHHHHH", RISING),
    "persistent": ("HHHHH.HHHHHH.HHHHHHH", STEADY),
    "diminishing": ("HHHHH.HHHHHH.HHHHHHH", RISING[::-1]),
    "sporadic": ("..H..HHH......H...HH", STEADY),
    "oscillating": ("..H..CCH......H...HH", STEADY),
    "historical": ("HHHHHHHHHHHHHHHHHHH.", STEADY),
}
MIRROR = str.maketrans("HC", "CH")


def classify(*series: str, z: np.ndarray = STEADY) -> list[str]:
    marks = np.array([list(s) for s in series]).T
    values = np.repeat(z[: len(marks), None], len(series), axis=1)
    found = emerging_hot_spots(values, marks == "H", marks == "C", level=0.05)
    return found.pattern.tolist()


@pytest.mark.parametrize("name", HOT_SERIES)
def test_hot_class(name):
    marks, z = HOT_SERIES[name]
    assert classify(marks, z=z) == [f"{name} hot spot"]


@pytest.mark.parametrize("name", HOT_SERIES)
def test_cold_class_is_the_mirror_image(name):
    marks, z = HOT_SERIES[name]
    assert classify(marks.translate(MIRROR), z=-z) == [f"{name} cold spot"]


def test_no_pattern_and_all_seventeen_are_the_closed_list():
    assert classify("....................", "..HHHH..CCC.........") == ["no pattern"] * 2
    named = [f"{name} {kind} spot" for kind in ("hot", "cold") for name in HOT_SERIES]
    assert set(named) | {"no pattern"} == set(PATTERNS)
    assert len(PATTERNS) == 17


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        # One hot period is new, two in a row are consecutive, with a gap sporadic.
        ("..................HH", "consecutive hot spot"),
        ("................H..H", "sporadic hot spot"),
        # 18 of 20 are 90%, 17 are not.
        ("..HHHHHHHHHHHHHHHHHH", "persistent hot spot"),
        ("...HHHHHHHHHHHHHHHHH", "consecutive hot spot"),
        ("HH.HHHHHHHHHHHHHHH..", "no pattern"),
        (".HHHHHHHHHHHHHHHHHH.", "historical hot spot"),
        ("HHHHHHHHHHHHHHHHHHHH", "persistent hot spot"),
        # Cold before does not undo new or consecutive; it does undo sporadic.
        ("CC.................H", "new hot spot"),
        ("CC................HH", "consecutive hot spot"),
        ("CC....H...........HH", "oscillating hot spot"),
        # The final period decides first.
        ("HHHHHHHHHHHHHHHHHHHC", "new cold spot"),
        ("CCCCCCCCCCCCCCCCCC.H", "new hot spot"),
        ("CCCCCCCCCCCCCCCCCCHH", "consecutive hot spot"),
    ],
)
def test_borders_between_classes(marks, expected):
    assert classify(marks) == [expected]


def test_ninety_percent_is_counted_in_whole_periods():
    # 0.9 * 30 is 27.000000000000004 in binary.
    z = np.tile(STEADY, 2)[:30]
    assert classify("..." + "H" * 27, "...." + "H" * 26, z=z) == [
        "persistent hot spot",
        "consecutive hot spot",
    ]


def test_a_trend_that_is_not_significant_is_none():
    z = np.random.default_rng(3).normal(size=20) + 0.02 * RISING
    hot = np.ones((20, 1), bool)
    strict, lax = (emerging_hot_spots(z[:, None], hot, ~hot, level=level) for level in (0.05, 0.9))
    assert strict.trend.z[0] > 0
    assert 0.05 < strict.trend.p_value[0] < 0.9
    assert strict.pattern[0] == "persistent hot spot"
    assert lax.pattern[0] == "intensifying hot spot"


def test_a_period_without_variance_counts_and_has_no_trend():
    z = RISING.copy()
    z[[4, 9]] = np.nan
    marks = np.array(list("HHHH.HHHH.HHHHHHHHHH"))[:, None]
    found = emerging_hot_spots(z[:, None], marks == "H", marks == "C", level=0.05)
    assert found.pattern[0] == "intensifying hot spot"
    assert found.hot_periods[0] == 18
    assert found.trend.s[0] == 18 * 17 / 2
    nothing = np.zeros((20, 1), bool)
    assert emerging_hot_spots(z[:, None] * np.nan, nothing, nothing, level=0.05).pattern[0] == (
        "no pattern"
    )


def test_cells_are_classified_one_by_one():
    """A thousand random cells against the definitions in a plain loop."""
    rng = np.random.default_rng(9)
    share = rng.random(1000)
    marks = np.where(rng.random((12, 1000)) < share, "H", rng.choice(list(".C"), (12, 1000)))
    z = rng.normal(size=(12, 1000)) + np.linspace(-2, 2, 12)[:, None] * rng.choice([-1, 0, 1], 1000)
    found = emerging_hot_spots(z, marks == "H", marks == "C", level=0.05)
    for cell in range(1000):
        trend = np.sign(found.trend.z[cell]) * (found.trend.p_value[cell] <= 0.05)
        assert found.pattern[cell] == by_the_book("".join(marks[:, cell]), trend), cell


def by_the_book(marks: str, trend: float) -> str:
    if marks[-1] == "C":
        return by_the_book(marks.translate(MIRROR), -trend).replace("hot", "cold")
    hot = marks.count("H")
    if marks[-1] == "H":
        if hot == 1:
            name = "new"
        elif hot / len(marks) >= 0.9:
            name = {1: "intensifying", -1: "diminishing"}.get(int(trend), "persistent")
        elif "H" not in marks.rstrip("H"):
            name = "consecutive"
        else:
            name = "oscillating" if "C" in marks else "sporadic"
        return f"{name} hot spot"
    if hot / len(marks) >= 0.9:
        return "historical hot spot"
    return "historical cold spot" if marks.count("C") / len(marks) >= 0.9 else "no pattern"


def test_fewer_than_ten_periods_are_refused():
    few = np.zeros((9, 2))
    with pytest.raises(ValueError, match="9 periods are too few"):
        emerging_hot_spots(few, few > 0, few > 0, level=0.05)
