"""The pages in the order of the navigation, each a module with `PAGE`."""

from __future__ import annotations

from htrisk_dagster.dashboard.page import Page
from htrisk_dagster.dashboard.pages import (
    about,
    boroughs,
    cases,
    forecasts,
    funnel,
    hot_places,
    model_quality,
    officers,
    patterns,
    risk_map,
)

PAGES: tuple[Page, ...] = (
    risk_map.PAGE,
    boroughs.PAGE,
    forecasts.PAGE,
    model_quality.PAGE,
    patterns.PAGE,
    funnel.PAGE,
    hot_places.PAGE,
    cases.PAGE,
    officers.PAGE,
    about.PAGE,
)

__all__ = ["PAGES"]
