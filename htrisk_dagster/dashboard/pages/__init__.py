"""The pages in the order of the navigation, each a module with `PAGE`."""

from __future__ import annotations

from htrisk_dagster.dashboard.page import Page
from htrisk_dagster.dashboard.pages import risk_map

PAGES: tuple[Page, ...] = (risk_map.PAGE,)

__all__ = ["PAGES"]
