"""A whole synthetic city in memory: what is true, and what was reported.

Belongs here: the order in which a city comes about, without a file. Does not: any rule of the
city (the modules it calls), its tables in the program's own shapes (`world_tables`), the
publishers' files (`city`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city import (
    calendar_factors,
    mobility,
    permits,
    policing,
    space_time,
)
from htrisk_dagster.sources.synthetic_city import world_tables as tables
from htrisk_dagster.sources.synthetic_city.ground import Ground, lay_ground
from htrisk_dagster.sources.synthetic_city.incidents import (
    Events,
    Incidents,
    complete_incidents,
    draw_events,
)
from htrisk_dagster.sources.synthetic_city.intensity import exposure, scaled_place
from htrisk_dagster.sources.synthetic_city.land import BOROUGHS
from htrisk_dagster.sources.synthetic_city.offences import FAMILIES, TARGET, Family, family_rates
from htrisk_dagster.sources.synthetic_city.presets import Preset, stream
from htrisk_dagster.sources.synthetic_city.reporting import is_reported
from htrisk_dagster.sources.synthetic_city.self_excitation import (
    Spread,
    stationary_rate,
    with_offspring,
)
from htrisk_dagster.sources.synthetic_city.target_truth import TargetTruth, truth_of_target


@dataclass(frozen=True, eq=False)
class World:
    """A city in memory.

    Parameters
    ----------
    preset, seed
        What it was made from.
    ground : Ground
        Its places.
    allowed : Permits
        Its event permits.
    passengers, riders : DataFrame
        Airport and transit, in the publishers' layouts.
    target : TargetTruth
        What is true of the target.
    incidents : Incidents
        Reported incidents of all families.
    """

    preset: Preset
    seed: int
    ground: Ground
    allowed: permits.Permits
    passengers: pl.DataFrame
    riders: pl.DataFrame
    target: TargetTruth
    incidents: Incidents

    @property
    def days(self) -> NDArray[np.datetime64]:
        """Days of the city, `datetime64[D]`, shape (D,)."""
        return self.preset.days

    @property
    def col(self) -> NDArray[np.int64]:
        """Column of each cell on the lattice of multiples of 500 m, shape (C,)."""
        return self.ground.land.col

    @property
    def row(self) -> NDArray[np.int64]:
        """Row of each cell on the lattice of multiples of 500 m, shape (C,)."""
        return self.ground.land.row

    @property
    def x_m(self) -> NDArray[np.float64]:
        """Easting of the cells' centres in metres, shape (C,)."""
        return self.ground.land.x_m

    @property
    def y_m(self) -> NDArray[np.float64]:
        """Northing of the cells' centres in metres, shape (C,)."""
        return self.ground.land.y_m

    @property
    def borough(self) -> NDArray[np.int64]:
        """Index of each cell's borough in `borough_names`, shape (C,)."""
        return self.ground.land.borough

    @property
    def borough_names(self) -> tuple[str, ...]:
        """Names of the boroughs, upper case."""
        return BOROUGHS

    @property
    def precinct(self) -> NDArray[np.int64]:
        """Index of each cell's precinct in `precinct_number`, shape (C,)."""
        return self.ground.precinct

    @property
    def precinct_number(self) -> NDArray[np.int64]:
        """Numbers of the precincts, shape (P,)."""
        return self.ground.precincts.number

    def incident_cells(self) -> pl.DataFrame:
        """Reported incidents as `schemas.grid.INCIDENT_CELLS`."""
        return tables.incident_cells(self.incidents, self.ground, self.days)

    def grid(self) -> pl.DataFrame:
        """Cells as `schemas.grid.CELLS`, for `Grid.from_cells`."""
        return tables.cells(self.ground)

    def events(self) -> pl.DataFrame:
        """Event permits as `schemas.staging.EVENTS`."""
        return tables.events(self.allowed, self.ground, self.days[0])

    def mobility(self) -> pl.DataFrame:
        """Airport passengers and transit riders as `schemas.staging.MOBILITY`."""
        return tables.mobility(self.passengers, self.riders)

    def holidays(self) -> pl.DataFrame:
        """Holidays of the city's span as `schemas.raw.HOLIDAYS`."""
        return tables.holidays(self.preset)


def simulate_world(preset: Preset, seed: int) -> World:
    """Let a city come about.

    Parameters
    ----------
    preset : Preset
        Span, volume and extent.
    seed : int
        Seed of every random stream, 0 or more.
    """
    ground = lay_ground(preset, seed)
    n_days, n_precincts = len(preset.days), len(ground.precincts.number)
    allowed = permits.draw_permits(preset, ground.precincts, stream(seed, "permits"))
    moving = stream(seed, "mobility")
    passengers = mobility.passenger_table(preset, moving)
    riders = mobility.transit_table(preset, moving)
    attraction = permits.attraction(allowed, n_days, n_precincts)
    scores = mobility.passenger_scores(preset, passengers)
    shocks = calendar_factors.day_shocks(preset, stream(seed, "day_shocks"))
    shared_noise, own_noise = space_time.correlated_noise(
        ground.land, n_days, stream(seed, "space_time")
    )
    shared_field = space_time.log_normal_field(shared_noise, space_time.COMMON_LOG_SD)
    field = space_time.log_normal_field(own_noise, space_time.TARGET_LOG_SD)
    spread = Spread.over(ground.land.col, ground.land.row)
    rates = family_rates(preset.complaints_per_day, preset.target_per_day)
    drawing, triggering = stream(seed, "incidents"), stream(seed, "self_excitation")

    drawn: dict[str, Events] = {}
    patrols = np.ones((n_days, n_precincts))
    for family in FAMILIES:
        is_target = family.name == TARGET
        factor = exposure(
            family.event_effect, attraction, scores, ground.precinct, ground.in_corridor
        )
        if is_target:
            factor *= patrols[:, ground.precinct]
        calendar = calendar_factors.calendar_factor(preset, family.name)
        reported_place = ground.place[family.name]
        factor_and_field = factor * (
            field if is_target else _within_city(shared_field, reported_place)
        )
        static = _true_place(family, rates[family.name], ground, calendar, factor_and_field, spread)
        background = (calendar * shocks[family.name])[:, None] * static * factor_and_field
        if preset.has_policing_feedback and family.name == policing.DISCOVERED:
            drawn[family.name], patrols = policing.draw_discovered(
                background * ground.reporting[family.name], preset.days, ground.precinct, drawing
            )
            continue
        true, reported = _happen(family, background, ground, spread, drawing, triggering)
        drawn[family.name] = true[0][reported], true[1][reported]
    incidents = complete_incidents(drawn, n_days, ground.corners, drawing)
    return World(
        preset, seed, ground, allowed, passengers, riders,
        truth_of_target(
            static, calendar, factor, field, shocks[TARGET], true, incidents,
            ground.reporting[TARGET], spread,
        ),
        incidents,
    )  # fmt: skip


def _within_city(field: NDArray[np.float32], place: NDArray[np.float64]) -> NDArray[np.float32]:
    """Let the field move incidents from day to day and within the city only.

    What moves the whole city is the day's shock, and what lasts is in the place: a cell keeps its
    share over the whole span, so that precincts have their real totals.
    """
    lasting = np.round(field.mean(axis=0, dtype=np.float64), 6)
    moved: NDArray[np.float32] = field / lasting.astype(np.float32)
    mean = np.round(moved @ (place / place.sum()), 6)
    moved /= mean.astype(np.float32)[:, None]
    return moved


def _true_place(
    family: Family,
    rate: float,
    ground: Ground,
    calendar: NDArray[np.float64],
    factor: NDArray[np.float32],
    spread: Spread,
) -> NDArray[np.float64]:
    """Expected true incidents a day of the background where all factors are 1.

    So that `rate` a day are reported in the whole city, with the factors of the days at hand.
    """
    reporting, reported = ground.reporting[family.name], ground.place[family.name]
    true = scaled_place(rate * ground.share_of_city, reported, calendar, factor) / reporting
    all_generations = stationary_rate(true, family.kappa, spread)
    scale = (reporting @ true) / (reporting @ all_generations)
    place: NDArray[np.float64] = np.round(true * scale, 12)
    return place


def _happen(
    family: Family,
    background: NDArray[np.float64],
    ground: Ground,
    spread: Spread,
    drawing: np.random.Generator,
    triggering: np.random.Generator,
) -> tuple[Events, NDArray[np.bool_]]:
    """Draw true incidents with their offspring, and which of them are reported.

    Where nothing is triggered, nothing depends on what is not reported: only reports are drawn.
    """
    reporting = ground.reporting[family.name]
    if family.kappa == 0:
        day, cell = draw_events(background * reporting, drawing)
        return (day, cell), np.ones(len(day), dtype=bool)
    first = draw_events(background, drawing)
    true = with_offspring(*first, len(background), family.kappa, spread, triggering)
    return true, is_reported(reporting[true[1]], triggering)
