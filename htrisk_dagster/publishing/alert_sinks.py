"""Where alerts of spikes and of drift go: a file of JSON lines, an e-mail or a webhook.

Belongs here: what an alert says and how it leaves. Does not: what is a spike
(`hotspots/anomalies.py`) or drift (`evaluation/drift_findings.py`), when alerts are sent
(`defs/sensors.py`).

An alert carries no count: counts under eleven may not leave.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from email.message import EmailMessage
from pathlib import Path
from typing import ClassVar, Protocol
from urllib.parse import unquote, urlsplit

import polars as pl

from htrisk_dagster.errors import HtriskError, SettingError

_TIMEOUT_S = 20
_SENDER = "htrisk-alerts@localhost"


class AlertError(HtriskError):
    """An alert could not be handed over; the message names the sink and why."""


class Message(Protocol):
    """What every sink can send."""

    kind: ClassVar[str]

    @property
    def area(self) -> str:
        """Study area."""
        ...

    @property
    def text(self) -> str:
        """The alert in words."""
        ...

    def as_record(self) -> dict[str, str | int | float]:
        """The alert as a JSON object."""
        ...


@dataclass(frozen=True)
class DriftAlert:
    """The newest days are not those that the champion was made for.

    Parameters
    ----------
    area, target : str
        Study area, and what is forecast.
    watched : str
        `inputs` or `calibration`.
    as_of_on : date
        Newest day looked at.
    champion_month_on : date
        Month of the champion in use.
    finding : str
        What was found, a sentence of `evaluation.drift_findings`.
    """

    kind: ClassVar[str] = "drift"
    area: str
    target: str
    watched: str
    as_of_on: date
    champion_month_on: date
    finding: str

    @property
    def key(self) -> str:
        """Identifies the alert: one for each champion and thing watched, however long it lasts."""
        return f"{self.area}/{self.target}/drift/{self.watched}/{self.champion_month_on}"

    @property
    def text(self) -> str:
        """The alert in words."""
        return f"Drift of {self.watched} ({self.target}): {self.finding}"

    def as_record(self) -> dict[str, str | int | float]:
        """The alert as a JSON object."""
        return {
            "area": self.area,
            "target": self.target,
            "watched": self.watched,
            "as_of_on": self.as_of_on.isoformat(),
            "champion_month_on": self.champion_month_on.isoformat(),
            "text": self.text,
        }


@dataclass(frozen=True)
class Alert:
    """A precinct and day with more reports than the precinct's own past explains.

    Parameters
    ----------
    area, target : str
        Study area, and what was counted.
    precinct : int
    reported_on : date
        Day of the reports.
    false_alarm_rate : float
        Stated: days with any false alarm in the whole area, at most.
    """

    kind: ClassVar[str] = "spike"
    area: str
    target: str
    precinct: int
    reported_on: date
    false_alarm_rate: float

    @property
    def key(self) -> str:
        """Identifies the alert, so that none is sent twice."""
        return f"{self.area}/{self.target}/{self.precinct}/{self.reported_on}"

    def as_record(self) -> dict[str, str | int | float]:
        """The alert as a JSON object."""
        return {
            "area": self.area,
            "target": self.target,
            "precinct": self.precinct,
            "reported_on": self.reported_on.isoformat(),
            "false_alarm_rate": self.false_alarm_rate,
            "text": self.text,
        }

    @property
    def text(self) -> str:
        """The alert in words."""
        return (
            f"Precinct {self.precinct}, {self.reported_on}: more reported incidents ({self.target}) than the "
            f"precinct's own past explains. If nothing had changed, at most {self.false_alarm_rate:.0%} of "
            "days would have any such alert in the whole area. Look at the reports before acting."
        )


def alerts_of(spikes: pl.DataFrame, area: str) -> list[Alert]:
    """Alerts of `schemas.hot_places.SPIKE_ALERTS`, by day and precinct."""
    columns = ("target", "precinct", "reported_on", "false_alarm_rate")
    rows = spikes.filter("is_alert").sort("reported_on", "precinct").select(columns)
    return [Alert(area, **row) for row in rows.iter_rows(named=True)]


def send_to_file(alerts: Sequence[Message], path: Path) -> None:
    """Append one JSON object a line; the folder is made."""
    lines = "".join(json.dumps(alert.as_record()) + "\n" for alert in alerts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(lines)
    except OSError as error:
        raise AlertError(
            f"Alerts cannot be written to {path} ({error.strerror}). Set alert_target to a file that can."
        ) from error


def send_to_webhook(alerts: Sequence[Message], url: str) -> None:
    """POST `{"alerts": [...]}` as JSON; an answer other than 2xx is an error.

    Raises
    ------
    AlertError
        Naming the host alone: the path of a webhook is often its password.
    """
    import httpx

    # Its lines name the whole address.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    body = {"alerts": [alert.as_record() for alert in alerts]}
    host = urlsplit(url).hostname
    try:
        status = httpx.post(url, json=body, timeout=_TIMEOUT_S).status_code
    except httpx.HTTPError as error:
        raise AlertError(
            f"The webhook at {host} cannot be reached ({type(error).__name__}). The alerts are kept and sent "
            "again at the next turn."
        ) from None
    if not 200 <= status < 300:
        raise AlertError(
            f"The webhook at {host} answered {status}. The alerts are kept and sent again at the next turn."
        )


def send_by_email(alerts: Sequence[Message], address: str) -> None:
    """Send one plain-text message.

    Parameters
    ----------
    alerts : sequence of Message
    address : str
        `smtp://host:port/recipient`, such as smtp://mail.example.org:25/desk@example.org. The host must
        take mail from this machine without a password.

    Raises
    ------
    SettingError
        Where `address` is not of this form.
    AlertError
        Where the host cannot be reached or refuses.
    """
    import smtplib

    parts = urlsplit(address)
    recipient = unquote(parts.path.lstrip("/"))
    if parts.scheme != "smtp" or not parts.hostname or "@" not in recipient:
        raise SettingError(
            "alert_target for alert_sink=email must be smtp://host:port/recipient, such as "
            "smtp://mail.example.org:25/desk@example.org."
        )
    message = EmailMessage()
    areas = ", ".join(sorted({alert.area for alert in alerts}))
    kinds = " and ".join(sorted({alert.kind for alert in alerts}))
    message["Subject"] = f"{len(alerts)} {kinds} alerts for {areas}"
    message["From"] = _SENDER
    message["To"] = recipient
    message.set_content("\n\n".join(alert.text for alert in alerts) + "\n")
    try:
        with smtplib.SMTP(parts.hostname, parts.port or 25, timeout=_TIMEOUT_S) as server:
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise AlertError(
            f"The mail host {parts.hostname} did not take the message ({type(error).__name__}). The alerts "
            "are kept and sent again at the next turn."
        ) from error
