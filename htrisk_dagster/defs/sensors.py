"""Sensors: who is told of a spike or of drift, and when models are trained out of turn.

https://docs.dagster.io/guides/automate/sensors

Belongs here: which alerts are new, which sink the settings name, and the run that drift asks for.
Does not: what an alert says (`publishing/alert_sinks.py`), what a spike is
(`hotspots/anomalies.py`), what drift is (`evaluation/drift_findings.py`).

Off until switched on in the UI. An alert is marked as sent only after its sink took it: one that
fails is sent again at the next turn, so a sink can get an alert twice and never none.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from htrisk_dagster.defs.jobs import AreaJobs
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import hot_places, predictions
from htrisk_dagster.study_areas.area import StudyArea

if TYPE_CHECKING:
    from htrisk_dagster.publishing.alert_sinks import DriftAlert, Message


def build(area: StudyArea, jobs: AreaJobs) -> list[dg.SensorDefinition]:
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

    @dg.sensor(name=f"{area.name}_drift_sensor", job=jobs.retrain, minimum_interval_seconds=3600)
    def drift_sensor(
        context: dg.SensorEvaluationContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.SensorResult:
        """Tell of drift once a champion, and ask for the models of the newest scored month."""
        if not workspace.tables(area.name).keys(predictions.DRIFT):
            return dg.SensorResult(skip_reason="evaluation/drift has not been made yet.")
        alerts = drift_alerts(workspace, area)
        sent = set(json.loads(context.cursor)) if context.cursor else set()
        new = [alert for alert in alerts if alert.key not in sent]
        if new:
            send(new, workspace, area)
        cursor = json.dumps([alert.key for alert in alerts])
        months = {f"{alert.as_of_on:%Y-%m}-01" for alert in new if may_learn_more(alert)}
        if not months:
            reason = f"{len(new)} new alerts of drift, no younger models to train."
            return dg.SensorResult(skip_reason=reason, cursor=cursor)
        asked = [dg.RunRequest(run_key=f"drift/{m}", partition_key=m) for m in sorted(months)]
        return dg.SensorResult(run_requests=asked, cursor=cursor)

    return [spike_alert_sensor, drift_sensor]


def drift_alerts(workspace: Workspace, area: StudyArea) -> "list[DriftAlert]":
    """Alerts of what `evaluation/drift` found, one for inputs and one for calibration at most."""
    from htrisk_dagster.evaluation import drift_findings as rules
    from htrisk_dagster.publishing.alert_sinks import DriftAlert

    drift = workspace.tables(area.name).read(predictions.DRIFT)
    target, _ = workspace.target(area)
    found = {"inputs": rules.inputs_hold(drift), "calibration": rules.calibration_holds(drift)}
    return [
        DriftAlert(
            area.name,
            target,
            watched,
            drift["as_of_on"][0],
            drift["champion_month_on"][0],
            finding.sentence,
        )
        for watched, finding in found.items()
        if not finding.holds
    ]


def may_learn_more(alert: "DriftAlert") -> bool:
    """Whether models of the newest scored month would see more than the champion in use.

    Models of a month see what was reported before it. Those of the month in use saw all of that,
    so that drift within their month waits for the first of the next.
    """
    return alert.champion_month_on < alert.as_of_on.replace(day=1)


def send(alerts: "Sequence[Message]", workspace: Workspace, area: StudyArea) -> None:
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
