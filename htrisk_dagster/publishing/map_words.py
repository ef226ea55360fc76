"""What a day's map and its mailed report both say: what they are of, come to, and must not be used for.

Belongs here: the header of a map, the name of each place, the sentences and lists that both pages carry.
Does not: the pages (`risk_map`, `daily_report`), the drawings, the words of bands (`risk_bands`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from html import escape

import polars as pl

from htrisk_dagster.publishing.risk_bands import band_shares, band_words
from htrisk_dagster.schemas.predictions import BANDS

DRAFT = "DRAFT - not reviewed"
"""Stage of every map and report until two people have signed for it."""
INVENTED = (
    "Every incident behind this map was made up by a program, to show how it works. It says "
    "nothing about the real place, whatever its outline looks like. Do not act on it."
)
_SCHEMATIC = (
    "Each square is an area that the police report by, laid out so that all can be seen: its size and its "
    "distance from others mean nothing. "
)
_SHAPES = (
    "Each shape is an area that the police report by. A large one is no riskier than a small one of its "
    "colour. "
)
LIMITS = (
    "This is a forecast of reported incidents at places. It says nothing of any person: not of "
    "anyone who lives, works or happens to be there.",
    "Reports are not all that happens. Where people report less, or fear to, the map shows less; "
    "where police look more, it shows more. A pale cell is not a safe cell.",
    "It must not be used to stop, search, question, arrest or deport anyone, to raise suspicion "
    "about a person, a household or a business, or as evidence.",
    "It must not decide by itself where help goes: a person who knows the place reviews it "
    "first. It is meant for outreach, shelter and prevention.",
    "Ranks are close to one another. The order of neighbouring ranks is mostly chance.",
)


@dataclass(frozen=True)
class MapHeader:
    """What identifies one map: the fields travel together, and each is printed.

    Parameters
    ----------
    area_title, target_title : str
        Study area, and what is forecast, in words.
    risk_on : date
        Day the map is for.
    model : str
        Model that made the forecast.
    trained_before : date
        The model saw nothing reported on or after this day.
    data_origin : str
        `synthetic`, `files` or `api`.
    data_digest : str
        Fingerprint of what the map was made from.
    status : str
        Stage of review, such as `DRAFT - not reviewed`.
    area_codes : mapping of int to str
        The publisher's code of a precinct, where it is not its number.
    is_schematic : bool
        Whether cells are areas without a place of their own, so that squares stand where they fit.
    silence : str
        Which sources have stopped before the day's cutoff; empty where all report up to it.
    """

    area_title: str
    target_title: str
    risk_on: date
    model: str
    trained_before: date
    data_origin: str
    data_digest: str
    status: str
    area_codes: Mapping[int, str] = field(default_factory=dict)
    is_schematic: bool = False
    silence: str = ""

    @property
    def place(self) -> str:
        """What a row of the map is called."""
        return "area" if self.is_schematic else "cell"


def day_in_words(day: date) -> str:
    """Weekday and date, such as `Saturday 1 August 2015`."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def require_one_row_a_cell(risk: pl.DataFrame, cells: pl.DataFrame, day: date) -> None:
    """Refuse risk that is not of the day alone, or does not have each cell once.

    Raises
    ------
    ValueError
    """
    days = risk["risk_on"].unique().sort().to_list()
    if days != [day]:
        raise ValueError(f"The map of {day} was given risk of {days or 'no day'}.")
    wanted, found = cells["cell_id"].sort(), risk["cell_id"].sort()
    if not found.equals(wanted):
        raise ValueError(
            f"The map of {day} has {found.len()} rows of risk for {wanted.len()} cells; each cell "
            "needs one row. Make the risk again on this grid."
        )


def name_places(
    cells: pl.DataFrame, area_codes: Mapping[int, str], *, is_schematic: bool
) -> pl.DataFrame:
    """Give each cell the names that a reader knows it by.

    Parameters
    ----------
    cells : DataFrame
        Of `map_drawing.place_on_sheet`.
    area_codes, is_schematic
        As in `MapHeader`.

    Returns
    -------
    DataFrame
        The same rows: `precinct` is the publisher's code, and `borough` is in title case where it is a
        borough. The agency of an area stays as it is published, and an area has no square of the `sheet`.
    """
    code = pl.col("precinct").replace_strict(area_codes, default=None, return_dtype=pl.String)
    borough = pl.col("borough")
    return cells.with_columns(
        pl.coalesce(code, pl.col("precinct").cast(pl.String)).alias("precinct"),
        borough if is_schematic else borough.str.to_titlecase(),
        *([pl.lit(None, pl.String).alias("sheet")] if is_schematic else []),
    )


def note_on_areas(*, has_shapes: bool) -> str:
    """What the marks of a map of areas mean."""
    return _SHAPES if has_shapes else _SCHEMATIC


def cell_sentence(header: MapHeader) -> pl.Expr:
    """What a reader is told of one named cell: rank, place, forecast, risk, interval, reasons."""
    reasons = (
        pl.when(pl.col("reasons").is_null())
        .then(pl.lit(""))
        .otherwise(pl.format(" Against the city's mean: {}.", "reasons"))
    )
    on_sheet = (
        pl.when(pl.col("sheet").is_null())
        .then(pl.lit(""))
        .otherwise(pl.format(", map square {}", "sheet"))
    )
    return pl.format(
        "Rank {}, {}: {} {}, {}{}. Expected {} reported incidents, risk {}%, "
        "95% interval {} to {}.{}",
        "rank",
        "band",
        pl.lit("area" if header.is_schematic else "precinct"),
        "precinct",
        "borough",
        on_sheet,
        pl.col("expected_count").round_sig_figs(2),
        (100 * pl.col("risk_prob")).round_sig_figs(2),
        "lower_95_count",
        "upper_95_count",
        reasons,
    )


def headline(header: MapHeader, title: str) -> str:
    """Warnings, stage, title and target."""
    parts = ["<header>"]
    if header.data_origin == "synthetic":
        parts.append(
            f'<p class="invented" role="alert"><strong>INVENTED CITY</strong> {INVENTED}</p>'
        )
    if header.silence:
        parts.append(
            f'<p class="invented" role="alert"><strong>STALE DATA</strong> Made from what was known. '
            f"{escape(header.silence)}</p>"
        )
    parts += [
        f'<p class="status">{escape(header.status)}</p>',
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(header.area_title)}. Target: {escape(header.target_title)}, as reported to "
        "the police.</p>",
        "</header>",
    ]
    return "\n".join(parts)


def facts_of_day(shown: pl.DataFrame, header: MapHeader) -> str:
    """What the day's map comes to: share held by the top cells, how sure, which model, until when."""
    total = float(shown["expected_count"].to_numpy().sum())
    top = shown.filter(pl.col("band").is_in(list(BANDS[:2])))
    held = float(top["expected_count"].to_numpy().sum())
    highest = float(shown["risk_prob"].to_numpy().max())
    certainty = "so on most such days nothing is reported there" if highest < 0.5 else "no more"
    budget = band_shares(shown.height)[1]
    return "\n".join(
        [
            '<div class="facts">',
            f"<p><strong>Area budget:</strong> the top {100 * budget:g}% of {header.place}s ({top.height:,} "
            f"of {shown.height:,}) are expected to hold {held:.2f} of {total:.2f} incidents "
            f"({100 * held / total:.0f}%); {total - held:.2f} are expected elsewhere.</p>",
            f"<p><strong>How sure:</strong> even the first {header.place} has a risk of "
            f"{100 * highest:.2g}%, {certainty}.</p>",
            f"<p><strong>Model:</strong> {escape(header.model)}, which saw nothing reported on or "
            f"after {day_in_words(header.trained_before)}.</p>",
            f"<p><strong>Expiry:</strong> valid for {day_in_words(header.risk_on)} only. Do not use it "
            "on any other day.</p>",
            "</div>",
        ]
    )


def legend(shown: pl.DataFrame, header: MapHeader) -> str:
    """The bands, each with its colour and the number of its cells."""
    items = []
    for band, words in band_words(shown.height, f"{header.place}s").items():
        swatch = (
            '<svg viewBox="0 0 1 1" aria-hidden="true">'
            f'<path class="{band.replace(" ", "-")}" d="M0 0h1v1h-1z"/></svg>'
        )
        n = shown.filter(band=band).height
        items.append(f"<li>{swatch}{words} ({n:,} {header.place}{'' if n == 1 else 's'})</li>")
    return f'<ul class="legend" aria-label="Legend">{"".join(items)}</ul>'


def valid_only(header: MapHeader) -> str:
    """Stage, place and day: printed sheets come apart, and the second carries the warnings of the first."""
    invented = "INVENTED CITY. " if header.data_origin == "synthetic" else ""
    return (
        f"<p><strong>{invented}{escape(header.status)}. {escape(header.area_title)}, valid for "
        f"{day_in_words(header.risk_on)} only.</strong></p>"
    )


def limits() -> str:
    """What the map is not."""
    items = "".join(f"<li>{sentence}</li>" for sentence in LIMITS)
    return f"<section><h2>What this map is not, and must not be used for</h2><ul>{items}</ul></section>"


def footer(header: MapHeader) -> str:
    """What it was made from."""
    return (
        f"<footer><p>Data: {escape(header.data_origin)}. Made from data "
        f"with digest {escape(header.data_digest)}. Status: {escape(header.status)}.</p></footer>"
    )
