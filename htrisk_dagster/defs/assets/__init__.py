"""The register of asset groups, in pipeline order. A group that is not here does not exist."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg

from htrisk_dagster.defs.assets import (
    agencies,
    context,
    evaluation,
    features,
    governance,
    grid,
    hot_places,
    hotspots,
    models,
    predictions,
    publishing,
    raw,
    series,
    staging,
    verified,
)
from htrisk_dagster.study_areas.area import StudyArea

ASSET_GROUPS: dict[str, Callable[[StudyArea], list[dg.AssetsDefinition]]] = {
    "raw": raw.build,
    "staging": staging.build,
    "grid": grid.build,
    "context": context.build,
    "hotspots": hotspots.build,
    "hot_places": hot_places.build,
    "features": features.build,
    "models": models.build,
    "predictions": predictions.build,
    "publishing": publishing.build,
    "governance": governance.build,
    "evaluation": evaluation.build,
    "verified": verified.build,
    "agencies": agencies.build,
    "series": series.build,
}
