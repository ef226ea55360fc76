"""Sensors: who is told of a spike.

https://docs.dagster.io/guides/automate/sensors

Belongs here: which alerts are new, and which sink the settings name. Does not: what an alert says
(`publishing/alert_sinks.py`), what a spike is (`hotspots/anomalies.py`).

Off until switched on in the UI. An alert is marked as sent only after its sink took it: one that
fails is sent again at the next turn, so a sink can get an alert twice and never none.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import hot_places
from htrisk_dagster.study_areas.area import StudyArea

if TYPE_CHECKING:
    from htrisk_dagster.publishing.alert_sinks import Alert


def build(area: StudyArea) -> list[dg.SensorDefinition]:
    """Sensors of one study area."""

    @dg.sensor(name=f"{area.name}_spike_alert_sensor", minimum_interval_seconds=600)
    def spike_alert_sensor(
        context: dg.SensorEvaluationContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.SensorResult:
        """Send the spikes of `hotspots/spike_alerts` that have not been sent."""
        from htrisk_dagster.publishing.alert_sinks import alerts_of

        store = workspace.tables(area.name)
        if not store.keys(hot_places.SPIKE_ALERTS):
            return dg.SensorResult(skip_reason="hotspots/spike_alerts has not been made yet.")
        alerts = alerts_of(store.read(hot_places.SPIKE_ALERTS), area.name)
        sent = set(json.loads(context.cursor)) if context.cursor else set()
        new = [alert for alert in alerts if alert.key not in sent]
        if new:
            send(new, workspace, area)
        # Days that have left the table need no memory.
        return dg.SensorResult(
            skip_reason=f"{len(new)} new alerts, sink: {workspace.settings.alert_sink}.",
            cursor=json.dumps([alert.key for alert in alerts]),
        )

    return [spike_alert_sensor]


def send(alerts: "Sequence[Alert]", workspace: Workspace, area: StudyArea) -> None:
    """Hand alerts to the sink of the settings."""
    from htrisk_dagster.publishing import alert_sinks

    settings = workspace.settings
    given = settings.alert_target.get_secret_value() if settings.alert_target else ""
    if settings.alert_sink == "file":
        path = Path(given) if given else settings.workspace / "alerts" / f"{area.name}.jsonl"
        alert_sinks.send_to_file(alerts, path)
    elif settings.alert_sink == "email":
        alert_sinks.send_by_email(alerts, given)
    elif settings.alert_sink == "webhook":
        alert_sinks.send_to_webhook(alerts, given)
