from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.features import catalogue as cat
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.catalogue import feature_catalogue
from htrisk_dagster.features.feature_matrix import FeatureInputs, Series, build_block
from htrisk_dagster.grid.parts import GridPart, tiles_of
from htrisk_dagster.schemas import staging

FIRST = date(2014, 1, 1)
ONE = timedelta(1)
# Early, with little history; a Saturday; a holiday; the end of the history.
DAYS = [date(2014, 1, 20), date(2014, 6, 14), date(2014, 12, 25), date(2015, 5, 2)]


def block_of(inputs: FeatureInputs, day: date) -> CellDayBlock:
    return build_block(inputs, day, day + ONE, with_counts=False)


def after_the_cutoff_altered(inputs: FeatureInputs, day: date) -> FeatureInputs:
    """All that is known only after the cutoff of `day` deleted, moved, changed and added to."""
    rng = np.random.default_rng(day.toordinal())
    cutoff = day - timedelta(inputs.lag_days)
    known = pl.col("reported_on") < cutoff
    later = inputs.incidents.filter(~known)
    n = later.height
    altered = later.with_columns(
        pl.col("cell_id", "precinct", "source", "offence_group").shuffle(seed=1),
        # Moved in time too, before the cutoff and after it.
        occurred_on=pl.Series(np.datetime64(day) - rng.integers(-30, 500, n)).cast(pl.Date),
    )
    thinned = altered.filter(pl.Series(rng.random(n) < 0.6))
    added = pl.concat([altered] * 3).with_columns(
        incident_id=pl.format("more:{}", pl.int_range(3 * n)), reported_on=pl.lit(cutoff)
    )
    incidents = pl.concat([inputs.incidents.filter(known), thinned, added])

    future = inputs.events["starts_on"] > day
    events = pl.concat(
        [
            inputs.events.filter(~future),
            inputs.events.filter(future).with_columns(pl.col("precinct").shuffle(seed=2)),
            inputs.events.filter(future).with_columns(event_id=pl.format("x{}", "event_id")),
        ]
    )
    lag = pl.when(pl.col("period") == "month").then(45).otherwise(2)
    ends = (
        pl.when(pl.col("period") == "month")
        .then(pl.col("period_on").dt.month_end())
        .otherwise("period_on")
    )
    published = ends < pl.lit(day) - pl.duration(days=1) * lag
    mobility = inputs.mobility.with_columns(
        passengers_count=pl.when(published).then("passengers_count").otherwise(10**9)
    )
    values = {f: getattr(inputs, f) for f in inputs.__dataclass_fields__}
    return FeatureInputs(
        **{**values, "incidents": incidents, "events": events, "mobility": mobility}
    )


@pytest.mark.parametrize("lag_days", [1, 7, 90])
@pytest.mark.parametrize("day", DAYS)
def test_nothing_after_the_cutoff_moves_a_feature(inputs_with, day, lag_days):
    inputs = inputs_with(lag_days=lag_days)
    altered = after_the_cutoff_altered(inputs, day)
    assert not altered.incidents.equals(inputs.incidents)
    assert not altered.events.equals(inputs.events)
    assert not altered.mobility.equals(inputs.mobility)
    before, after = block_of(inputs, day), block_of(altered, day)
    assert before.features.tobytes() == after.features.tobytes()
    # The same change does show a day later, or the test could not fail.
    later = day + timedelta(2)
    assert block_of(inputs, later).features.tobytes() != block_of(altered, later).features.tobytes()


@pytest.mark.parametrize("lag_days", [1, 90])
def test_every_series_moves_with_the_last_row_that_was_known(inputs_with, lag_days):
    inputs = inputs_with(lag_days=lag_days)
    day = DAYS[2]
    newest = day - timedelta(lag_days + 1)
    template = inputs.incidents.filter(location_quality="exact").head(1)
    added = pl.concat(
        template.with_columns(
            incident_id=pl.lit(f"new:{i}"), source=pl.lit(source), offence_group=pl.lit(group),
            occurred_on=pl.lit(newest), reported_on=pl.lit(newest),
        )
        for i, (source, group) in enumerate(
            [("complaints", "robbery"), ("complaints", "other"), ("felonies", "other")]
        )
    )  # fmt: skip
    more = inputs_with(lag_days=lag_days, incidents=pl.concat([inputs.incidents, added]))
    before, after = block_of(inputs, day), block_of(more, day)
    cell = template["cell_id"][0]
    moved = [
        n for n in before.names if before.column(n)[0, cell] != after.column(n)[0, cell]
        and not (np.isnan(before.column(n)[0, cell]) and np.isnan(after.column(n)[0, cell]))
    ]  # fmt: skip
    expected = [
        f"{s}_{what}"
        for s in ("target", "incidents")
        for what in ("lag_1", "mean_7", "mean_28", "mean_91", "mean_364", "ewm_14")
    ]
    expected += [f"{s}_mean_{w}" for s in ("property", "felony") for w in (28, 364)]
    expected += [f"precinct_{s}_mean_364" for s in ("target", "incidents", "property", "felony")]
    expected += ["city_target_mean_28"]
    if (lag_days + 1) % 7 == 0:
        expected += [f"{s}_same_weekday_mean_8" for s in ("target", "incidents")]
    assert sorted(moved) == sorted(expected)


def known_rows(inputs: FeatureInputs, series: Series, cutoff: date) -> list[dict]:
    return [
        row
        for row in inputs.incidents.iter_rows(named=True)
        if row["source"] in series.sources
        and (not series.offence_groups or row["offence_group"] in series.offence_groups)
        and max(row["reported_on"], row["occurred_on"]) < cutoff
        and row["occurred_on"] >= inputs.history_start
    ]


def brute_counts(inputs: FeatureInputs, day: date, cell: int) -> dict[str, float]:
    """Every feature made of incidents, for one cell and day, row by row."""
    cutoff = day - timedelta(inputs.lag_days)
    cells = inputs.grid.cells
    me = cells.row(cell, named=True)
    near = [
        other["cell_id"]
        for other in cells.iter_rows(named=True)
        if 0 < max(abs(other["col"] - me["col"]), abs(other["row"] - me["row"])) < 2
    ]
    in_precinct = cells.filter(precinct=me["precinct"]).height
    history = (cutoff - inputs.history_start).days
    found: dict[str, float] = {}
    for name, series in (("target", inputs.target), *((s.name, s) for s in inputs.series)):
        rows = known_rows(inputs, series, cutoff)
        back = [((cutoff - row["occurred_on"]).days, row) for row in rows]
        here = [k for k, row in back if row["cell_id"] == cell]
        for k in range(1, 29 if name == "target" else 8):
            found[f"{name}_lag_{k}"] = here.count(k) if k <= history else np.nan
        for w in (7, 28, 91, 364):
            days = min(w, history)
            found[f"{name}_mean_{w}"] = sum(k <= w for k in here) / days
            around = sum(k <= w and row["cell_id"] in near for k, row in back)
            found[f"{name}_near_mean_{w}"] = around / days / len(near)
        weights = sum(0.5 ** (k / 14) for k in range(1, history + 1))
        found[f"{name}_ewm_14"] = sum(0.5 ** (k / 14) for k in here) / weights
        same = [day - timedelta(7 * j) for j in range(1, 100)]
        same = [(cutoff - d).days for d in same if d < cutoff][:8]
        same = [k for k in same if k <= history]
        found[f"{name}_same_weekday_mean_8"] = sum(here.count(k) for k in same) / len(same)
        of_precinct = sum(k <= 364 and row["precinct"] == me["precinct"] for k, row in back)
        found[f"precinct_{name}_mean_364"] = of_precinct / min(364, history) / in_precinct
        city = sum(k <= 28 for k, _ in back)
        found[f"city_{name}_mean_28"] = city / min(28, history) / cells.height
    return found


@pytest.mark.parametrize(
    ("day", "lag_days"),
    [(DAYS[0], 1), (DAYS[1], 1), (DAYS[1], 90), (DAYS[2], 7), (DAYS[3], 1)],
)
def test_features_of_incidents_equal_a_loop_over_rows(inputs_with, day, lag_days):
    inputs = inputs_with(lag_days=lag_days)
    # In the middle of a range, so that the place of the day in it is tested too.
    block = build_block(inputs, day - timedelta(3), day + timedelta(2), with_counts=False)
    for cell in (0, 6, inputs.grid.n_cells - 1):
        expected = brute_counts(inputs, day, cell)
        made = [n for n in block.names if n in expected]
        assert len(made) == 28 + 7 + 8 + 4 + 2 + 4 + 2 + 4 + 1
        np.testing.assert_allclose(
            [block.column(n)[3, cell] for n in made], [expected[n] for n in made], rtol=1e-6
        )


def test_columns_and_codes(inputs_with, grid):
    block = build_block(inputs_with(), date(2015, 4, 1), date(2015, 5, 1), with_counts=True)
    names = ("incidents", "property", "felony")
    assert block.names == tuple(spec.name for spec in feature_catalogue(names))
    assert block.features.dtype == np.float32
    assert np.isfinite(block.features).all()  # everything covers this month
    assert block.days[[0, -1]].astype(str).tolist() == ["2015-04-01", "2015-04-30"]
    np.testing.assert_array_equal(
        np.array([5, 7, 40])[block.precinct_index], grid.cells["precinct"].to_numpy()
    )
    np.testing.assert_array_equal(
        np.array(["A", "B"])[block.borough_index], grid.cells["borough"].to_numpy()
    )
    assert block.column("x_km").mean() == pytest.approx(0, abs=1e-6)
    assert np.ptp(block.column("y_km")) == pytest.approx(1.5)


def test_events_are_those_of_the_day_and_of_the_days_before_the_cutoff(inputs_with):
    inputs = inputs_with(lag_days=3)
    day = date(2015, 4, 10)
    block = block_of(inputs, day)
    cells = inputs.grid.cells
    for cell in (0, 9):
        precinct = cells["precinct"][cell]
        per_cell = {}
        for number in (5, 7, 40):
            on = inputs.events.filter(precinct=number)
            n = cells.filter(precinct=number).height
            per_cell[number] = lambda d, on=on, n=n: (
                on.filter((pl.col("starts_on") <= d) & (pl.col("ends_on") >= d))[
                    "precinct_share"
                ].sum()
                / n
            )
        for k in range(1, 8):
            expected = per_cell[precinct](day - timedelta(3 + k))
            assert block.column(f"events_lag_{k}")[0, cell] == pytest.approx(expected, rel=1e-6)
        x, y = cells["x_m"], cells["y_m"]
        near = ((x - x[cell]) ** 2 + (y - y[cell]) ** 2) <= 1000**2
        expected = sum(per_cell[p](day) for p in cells.filter(near)["precinct"])
        found = block.column("events_radius_1000m_count")[0, cell]
        assert found == pytest.approx(expected, rel=1e-6)


def test_what_is_absent_is_nan_and_nothing_else(inputs_with):
    day = date(2015, 4, 10)
    block = block_of(
        inputs_with(
            series=(Series("incidents", ("complaints",)), Series("none", ())),
            events=staging.EVENTS.empty(),
            mobility=staging.MOBILITY.empty(),
        ),
        day,
    )
    absent = {n for n in block.names if np.isnan(block.column(n)).all()}
    expected = {f"events_lag_{k}" for k in range(1, 8)} | {"events_radius_1000m_count"}
    expected |= {"none_mean_28", "none_mean_364", "precinct_none_mean_364"}
    assert absent == expected | {"airport_jfk_anomaly", "transit_subway_ratio"}
    kept = [i for i, n in enumerate(block.names) if n not in absent]
    assert np.isfinite(block.features[:, :, kept]).all()


def test_before_the_history_nothing_is_known(inputs_with):
    # Cutoffs on the first day of the history, and two days into it.
    block = build_block(inputs_with(), date(2014, 1, 2), date(2014, 1, 5), with_counts=False)
    for name in ("target_lag_1", "target_mean_364", "incidents_ewm_14", "city_target_mean_28",
                 "target_same_weekday_mean_8", "precinct_target_mean_364"):  # fmt: skip
        assert np.isnan(block.column(name)[0]).all(), name
    assert np.isfinite(block.column("target_lag_2")[2]).all()
    assert np.isnan(block.column("target_lag_3")[2]).all()
    two_days = block.column("target_lag_1")[2] + block.column("target_lag_2")[2]
    np.testing.assert_allclose(block.column("target_mean_91")[2], two_days / 2, rtol=1e-6)


def test_a_day_has_the_same_bytes_alone_in_a_range_and_in_any_row_order(inputs_with):
    inputs = inputs_with()
    whole = build_block(inputs, date(2014, 9, 1), date(2015, 1, 10), with_counts=True)
    shuffled = inputs_with(
        incidents=inputs.incidents.sample(fraction=1, shuffle=True, seed=5),
        events=inputs.events.sample(fraction=1, shuffle=True, seed=6),
        mobility=inputs.mobility.sample(fraction=1, shuffle=True, seed=7),
    )
    for i in (0, 17, 130):
        day = whole.days[i].astype(object)
        for given in (inputs, shuffled):
            alone = build_block(given, day, day + ONE, with_counts=True)
            assert alone.features.tobytes() == whole.features[i : i + 1].tobytes()
            assert alone.counts.tobytes() == whole.counts[i : i + 1].tobytes()


def test_counts_are_the_target_by_day_of_occurrence(inputs_with, incidents):
    start, stop = date(2014, 9, 1), date(2014, 10, 1)
    block = build_block(inputs_with(), start, stop, with_counts=True)
    expected = np.zeros(block.counts.shape)
    for row in incidents.iter_rows(named=True):
        is_target = row["source"] == "complaints" and row["offence_group"] == "robbery"
        if is_target and row["cell_id"] is not None and start <= row["occurred_on"] < stop:
            expected[(row["occurred_on"] - start).days, row["cell_id"]] += 1
    assert expected.sum() > 20
    np.testing.assert_array_equal(block.counts, expected)
    assert build_block(inputs_with(), start, stop, with_counts=False).counts is None


def test_what_cannot_be_built_is_a_sentence(inputs_with):
    with pytest.raises(SourceError, match="No day lies from 2014-02-01 up to 2014-02-01"):
        build_block(inputs_with(), date(2014, 2, 1), date(2014, 2, 1), with_counts=False)
    with pytest.raises(SourceError, match="Target 'x' has no source"):
        build_block(inputs_with(target=Series("x", ())), DAYS[0], DAYS[1], with_counts=True)


def test_no_large_copy_is_made(inputs_with):
    """Beside the block itself, memory stays within a few columns."""
    inputs = inputs_with()
    start, stop = date(2014, 1, 2), date(2016, 12, 31)
    block_of(inputs, start)  # imports and caches
    tracemalloc.start()
    block = build_block(inputs, start, stop, with_counts=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    column = block.n_days * block.n_cells * 8
    assert peak < block.features.nbytes + 12 * column


@pytest.mark.parametrize("n_tiles", [2, 3, 16])
def test_parts_of_the_grid_make_the_same_bytes_as_the_whole(inputs_with, grid, n_tiles) -> None:
    """Each tile knows its own cells and their neighbours, and a year of rows for the wider means."""
    inputs = inputs_with()
    start, stop = date(2015, 2, 20), date(2015, 3, 25)
    whole = build_block(inputs, start, stop, with_counts=True)
    since = start - timedelta(days=inputs.lag_days + max(cat.LONG_WINDOWS))
    parts = []
    for tile in tiles_of(grid.n_cells, n_tiles):
        part = GridPart.of(grid, tile)
        needed = pl.col("cell_id").is_in(part.cell_ids.tolist()) | (pl.col("occurred_on") >= since)
        rows = inputs.incidents.filter(needed)
        assert n_tiles == 2 or rows.height < inputs.incidents.height
        few = replace(inputs, incidents=rows, part=part)
        parts.append(build_block(few, start, stop, with_counts=True))

    joined = np.concatenate([p.features for p in parts], axis=1)
    assert joined.tobytes() == whole.features.tobytes()
    assert np.concatenate([p.counts for p in parts], axis=1).tobytes() == whole.counts.tobytes()
    for name in ("precinct_index", "borough_index"):
        codes = np.concatenate([getattr(p, name) for p in parts])
        assert np.array_equal(codes, getattr(whole, name))
