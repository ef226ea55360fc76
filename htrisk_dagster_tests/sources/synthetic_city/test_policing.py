from __future__ import annotations

from dataclasses import replace

import numpy as np
from htrisk_dagster.sources.synthetic_city import PRESETS, World, simulate_world
from htrisk_dagster.sources.synthetic_city.policing import draw_discovered

DAYS = np.arange("2022-01-01", "2024-01-01", dtype="datetime64[D]")


def share_of_busiest(day: np.ndarray, cell: np.ndarray, first: int, last: int) -> float:
    of_span = (day >= first) & (day < last)
    return float(np.bincount(cell[of_span], minlength=4).max() / of_span.sum())


def test_busy_precincts_run_away_though_nothing_has_changed() -> None:
    # Four precincts of one cell; the busiest truly has 40% of what there is to discover.
    expected = np.tile([8.0, 4.0, 4.0, 4.0], (len(DAYS), 1))
    (day, cell), patrols = draw_discovered(expected, DAYS, np.arange(4), np.random.default_rng(1))
    assert abs(share_of_busiest(day, cell, 0, 31) - 0.4) < 0.08
    # By hand: with shares s and patrols 1/2 + 2 s, 8 (1/2 + 2 s) over the sum settles at s = 0.6.
    settled = 0.4
    for _ in range(30):
        first, others = 8 * (0.5 + 2 * settled), 12 * (0.5 + 2 * (1 - settled) / 3)
        settled = first / (first + others)
    assert abs(share_of_busiest(day, cell, 365, 730) - settled) < 0.02
    assert settled > 0.55
    np.testing.assert_allclose(patrols.mean(axis=1), 1, atol=1e-5)
    assert (patrols[:31] == 1).all()


def test_patrols_know_only_the_month_before() -> None:
    expected = np.tile([8.0, 4.0, 4.0, 4.0], (len(DAYS), 1))
    changed = expected.copy()
    changed[59:] *= 3  # from March on
    one, other = (
        draw_discovered(e, DAYS, np.arange(4), np.random.default_rng(1))[1]
        for e in (expected, changed)
    )
    # Patrols of January to March rest on January and February.
    np.testing.assert_array_equal(one[:90], other[:90])


def concentration(world: World, half: slice) -> float:
    """Share of drug offences in the tenth of precincts that has most."""
    mine = world.incidents.of_family("drugs")
    days = np.arange(len(world.days))[half]
    within = mine & np.isin(world.incidents.occurred, days)
    counts = np.sort(np.bincount(world.incidents.precinct[within]))[::-1]
    return float(counts[: round(len(counts) / 10)].sum() / counts.sum())


def test_switch_is_off_by_default_and_changes_discovered_offences_only() -> None:
    preset = replace(PRESETS["tiny"], complaints_per_day=1500)
    off, on = (
        simulate_world(replace(preset, has_policing_feedback=flag), 5) for flag in (False, True)
    )
    assert not preset.has_policing_feedback
    late = slice(180, None)
    assert concentration(on, late) > concentration(off, late) + 0.03
    # Those before in the draw are the same, incident by incident.
    for family in ("larceny", "burglary", "violence"):
        for name in ("occurred", "cell"):
            np.testing.assert_array_equal(
                getattr(on.incidents, name)[on.incidents.of_family(family)],
                getattr(off.incidents, name)[off.incidents.of_family(family)],
            )
    # The target is discovered too: its exposure is known a month ahead.
    ratio = on.target.exposure / off.target.exposure
    np.testing.assert_allclose(ratio[:30], 1, rtol=1e-6)
    assert ratio[180:].std() > 0.1
