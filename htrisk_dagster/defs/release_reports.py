"""What is told of releases: in Dagster by day, on the terminal as a table.

Belongs here: words and figures on where each day stands. Does not: the dossier and the gate
(`released.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from htrisk_dagster.defs.released import hand_out, released_folder, releases_of
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.publishing.release_states import PUBLISHED, WITHDRAWN, DayRelease
from htrisk_dagster.study_areas.area import StudyArea


def hand_out_days(
    workspace: Workspace, area: StudyArea, days: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Make the folder of released maps what the log says; return where each day stands."""
    now = datetime.now(UTC)
    out = hand_out(workspace, area, now)
    figures: dict[str, dict[str, Any]] = {}
    for release in releases_of(workspace, area, days, now):
        day = release.day
        figures[day] = {
            "state": release.state.state,
            "reviewed_by": _names(release) or "nobody",
            "lacks": " ".join(release.dossier.lacks()) or "nothing",
            "dossier": release.dossier.digest,
        }
        if day in out:
            folder = released_folder(workspace, area) / release.dossier.target / day
            figures[day]["released"] = dg.MetadataValue.path(folder)
    return figures


def release_line(release: DayRelease, now: datetime) -> str:
    """One line of `htrisk release list`."""
    state = release.state
    parts = [release.day, state.state.ljust(9), f"reviewed by {_names(release) or 'nobody'}"]
    if state.rejections:
        parts.append("; ".join(f"rejected by {r.by}: {r.reason}" for r in state.rejections))
    if state.state == PUBLISHED and state.published and state.published.expires_at:
        until = state.published.expires_at
        parts.append(f"{'out until' if now < until else 'EXPIRED on'} {until:%Y-%m-%d}")
    if state.state == WITHDRAWN and state.withdrawn:
        parts.append(f"by {state.withdrawn.by}: {state.withdrawn.reason}")
    lacks = release.dossier.lacks()
    if lacks:
        parts.append(f"cannot be reviewed: {' '.join(lacks)}")
    return "  ".join(parts)


def _names(release: DayRelease) -> str:
    return ", ".join(r.by for r in release.state.approvals)
