from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.publishing.alert_sinks import (
    Alert,
    AlertError,
    DriftAlert,
    alerts_of,
    send_by_email,
    send_to_file,
    send_to_webhook,
)

ALERTS = [
    Alert("nyc", "shootings", 75, date(2026, 11, 20), 0.05),
    Alert("nyc", "shootings", 110, date(2026, 11, 20), 0.05),
]


DRIFT = DriftAlert(
    "nyc", "shootings", "calibration", date(2026, 11, 20), date(2026, 10, 1), "Twice as much came."
)


class MailHost(socketserver.StreamRequestHandler):
    """As much of SMTP as one message needs."""

    refuses = False
    messages: list[tuple[str, str]]

    def handle(self) -> None:
        self._say("220 here")
        recipient, lines = "", []
        while command := self.rfile.readline().decode().strip():
            verb = command.split(" ")[0].upper()
            if verb == "RCPT":
                recipient = command
                self._say("550 no such box" if self.refuses else "250 ok")
            elif verb == "DATA":
                self._say("354 go on")
                while (line := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    lines.append(line)
                self.messages.append((recipient, "\n".join(lines)))
                self._say("250 taken")
            else:
                self._say("221 bye" if verb == "QUIT" else "250 ok")
            if verb == "QUIT":
                return

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class Hook(BaseHTTPRequestHandler):
    status = 200
    bodies: list[dict[str, object]]

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def mail_host(refuses: bool = False) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    handler = type("Host", (MailHost,), {"refuses": refuses, "messages": []})
    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)) as port:
        yield port, handler.messages


@contextmanager
def hook(status: int = 200) -> Iterator[tuple[str, list[dict[str, object]]]]:
    handler = type("OneHook", (Hook,), {"status": status, "bodies": []})
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as port:
        yield f"http://127.0.0.1:{port}/services/secret-path", handler.bodies


def test_alerts_are_the_spikes_by_day_and_without_a_count() -> None:
    spikes = pl.DataFrame(
        {
            "target": ["shootings"] * 3,
            "precinct": [110, 75, 40],
            "reported_on": [date(2026, 11, 20)] * 2 + [date(2026, 11, 19)],
            "false_alarm_rate": [0.05] * 3,
            "is_alert": [True, True, False],
            "incidents_count": [7, 8, 1],
            "p_value_prob": [1e-5, 1e-6, 0.4],
        }
    )

    alerts = alerts_of(spikes, "nyc")

    assert alerts == ALERTS
    for alert in alerts:
        record = alert.as_record()
        assert set(record) == {
            "area", "target", "precinct", "reported_on", "false_alarm_rate", "text"
        }  # fmt: skip
        # Counts, and p-values from which they could be read, stay inside.
        assert "incidents" in alert.text and "5%" in alert.text
        assert not {7, 8, 1e-5, 1e-6} & set(record.values())
    assert len({alert.key for alert in alerts}) == 2


def test_file_gets_a_line_an_alert_and_keeps_those_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "alerts.jsonl"

    send_to_file(ALERTS[:1], path)
    send_to_file(ALERTS[1:], path)

    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert found == [alert.as_record() for alert in ALERTS]
    with pytest.raises(AlertError, match="alert_target"):
        send_to_file(ALERTS, tmp_path)


def test_webhook_gets_all_alerts_in_one_request() -> None:
    with hook() as (url, bodies):
        send_to_webhook(ALERTS, url)

    assert bodies == [{"alerts": [alert.as_record() for alert in ALERTS]}]


def test_a_webhook_that_refuses_is_told_without_its_secret() -> None:
    with hook(status=503) as (url, _), pytest.raises(AlertError, match="answered 503") as refused:
        send_to_webhook(ALERTS, url)
    with pytest.raises(AlertError, match="cannot be reached") as gone:
        send_to_webhook(ALERTS, url)

    for error in (refused, gone):
        assert "secret-path" not in str(error.value)


def test_mail_goes_to_the_recipient() -> None:
    with mail_host() as (port, messages):
        send_by_email(ALERTS, f"smtp://127.0.0.1:{port}/desk@example.org")

    ((recipient, text),) = messages
    assert "<desk@example.org>" in recipient
    assert "Subject: 2 spike alerts for nyc" in text
    assert "Precinct 75" in text and "Precinct 110" in text


def test_a_mail_host_that_refuses_or_is_gone_is_told() -> None:
    with (
        mail_host(refuses=True) as (port, messages),
        pytest.raises(AlertError, match=r"127\.0\.0\.1"),
    ):
        send_by_email(ALERTS, f"smtp://127.0.0.1:{port}/desk@example.org")
    with pytest.raises(AlertError, match=r"127\.0\.0\.1"):
        send_by_email(ALERTS, f"smtp://127.0.0.1:{port}/desk@example.org")

    assert messages == []


@pytest.mark.parametrize("address", ["desk@example.org", "smtp:///desk@a.org", "smtp://a.org/desk"])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(SettingError, match="smtp://host:port/recipient"):
        send_by_email(ALERTS, address)


def test_drift_is_one_alert_a_champion_and_goes_the_same_ways(tmp_path: Path) -> None:
    later = replace(DRIFT, as_of_on=date(2026, 11, 21))
    next_champion = replace(DRIFT, champion_month_on=date(2026, 11, 1))
    assert DRIFT.key == later.key != next_champion.key

    path = tmp_path / "alerts.jsonl"
    send_to_file([DRIFT], path)
    with mail_host() as (port, messages):
        send_by_email([*ALERTS, DRIFT], f"smtp://127.0.0.1:{port}/desk@example.org")

    (line,) = path.read_text().splitlines()
    assert json.loads(line) == {
        "area": "nyc", "target": "shootings", "watched": "calibration", "as_of_on": "2026-11-20",
        "champion_month_on": "2026-10-01",
        "text": "Drift of calibration (shootings): Twice as much came.",
    }  # fmt: skip
    assert "Subject: 3 drift and spike alerts for nyc" in messages[0][1]
