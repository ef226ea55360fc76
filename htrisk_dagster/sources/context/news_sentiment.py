"""Sentiment of local news by area and day, from a file of texts: date, area or place, text.

Source: a user's own file; the licence of the texts is that of their publishers, and no text is kept:
each is scored where it enters, and what goes on is a mean, a count and a share by area and day.

Quirks:
- An area is a borough, a precinct or a neighbourhood; a text with longitude and latitude instead is put
  to a point rounded to 0.01 degrees, about 1 km.
- The lexicon is English. A text without a word of it scores 0, which is neither good nor bad news.

Polarity is that of TextBlob's pattern lexicon (De Smedt and Daelemans 2012, "Pattern for Python",
JMLR 13): adjectives and adverbs weighted by intensifiers and negations, -1 to 1. It ships inside the
package: nothing is downloaded. It was made on reviews, so compare days and areas, not texts.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import context_sources
from htrisk_dagster.sources.context.area_codes import area_id, area_type
from htrisk_dagster.sources.incidents import place_rules, with_place
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule, day_rules
from htrisk_dagster.sources.text_values import day

TABLE = context_sources.NEWS_SENTIMENT
_POINT_DECIMALS = 2


def polarity(text: str) -> float:
    """Polarity of an English text, -1 (bad) to 1 (good); 0 where no word is in the lexicon."""
    from textblob.en import sentiment

    return float(sentiment(text)[0])


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Score the texts of one file: `published_on`, an area or rounded point, `polarity`.

    Returns
    -------
    Parsed
        Rows in the same order. The text itself is in the publisher's column only, which ends here.
    """
    typed = with_place(rows).with_columns(
        day("DATE").alias("published_on"),
        pl.col("TEXT").map_elements(polarity, return_dtype=pl.Float64).alias("polarity"),
    )
    lon, lat = (pl.col(c).round(_POINT_DECIMALS) for c in ("lon", "lat"))
    is_point = pl.col("AREA").is_null() & pl.col("lon").is_not_null()
    typed = typed.with_columns(
        pl.when(is_point).then(pl.lit("point")).otherwise(area_type("AREA")).alias("area_type"),
        pl.when(is_point)
        .then(pl.format("{},{}", lon, lat))
        .otherwise(area_id("AREA"))
        .alias("area_id"),
        pl.when(is_point).then(lon).alias("lon_rounded"),
        pl.when(is_point).then(lat).alias("lat_rounded"),
    )
    rules = (
        *day_rules("text", "DATE", "published_on", facts),
        *place_rules(facts),
        Rule("area_unknown", "AREA", pl.col("area_type").is_null(),
             "A text needs a borough, a precinct, a neighbourhood's code, or a point."),
        # Of a text itself nothing may reach the quarantine: only its absence is a reason.
        Rule("text_missing", "TEXT", pl.col("TEXT").is_null(), "The row has no text."),
    )  # fmt: skip
    return Parsed(typed, rules)


def by_area_day(texts: pl.DataFrame) -> pl.DataFrame:
    """Mean polarity, number of texts and share below zero of each area and day."""
    scores = pl.col("polarity").sort()  # a sum must not depend on the order of files
    return (
        texts.group_by("area_type", "area_id", "published_on")
        .agg(
            pl.col("lon_rounded").first().alias("lon"),
            pl.col("lat_rounded").first().alias("lat"),
            pl.len().cast(pl.Int64).alias("texts_count"),
            scores.mean().clip(-1.0, 1.0).alias("sentiment_mean"),
            (pl.col("polarity") < 0).mean().alias("negative_share"),
        )
        .sort("published_on", "area_type", "area_id")
    )
