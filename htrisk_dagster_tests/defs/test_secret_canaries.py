"""Secrets are shown by nothing that fails with them: no log, database, metadata, error or file.

`test_secrets.py` searches a whole run that goes well. Here each secret meets what it is for, and is
refused: servers that repeat it in their answers, hosts that are not there, files that hold it.
"""

import functools
import json
import logging
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest
import stamina
from htrisk_dagster.cli import app
from htrisk_dagster.definitions import build_definitions
from htrisk_dagster.defs import retries, sensors
from htrisk_dagster.defs.dagster_home import prepare_dagster_home
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.plan import Step
from htrisk_dagster.defs.retries import passing_faults_retried
from htrisk_dagster.defs.runs import StepFailedError, local_runner
from htrisk_dagster.defs.servers import Ports, commands
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import HtriskError
from htrisk_dagster.publishing.alert_sinks import Alert
from htrisk_dagster.settings import Settings, load_settings
from htrisk_dagster.sources.context import places_service
from htrisk_dagster_tests.defs.test_secrets import shows
from typer.testing import CliRunner

CANARIES = {
    "HTRISK_SOCRATA_APP_TOKEN": "CANARYsocrata1",
    "HTRISK_PLACES_API_KEY": "CANARYplaces2",
    "HTRISK_ARCGIS_TOKEN": "CANARYarcgis3",
}
MAIL, HOOK, DATABASE, KEY = "CANARYmail4", "CANARYhook5", "CANARYdatabase6", "CANARYkey7"
SECRETS = (*CANARIES.values(), MAIL, HOOK, DATABASE, KEY)
ALERT = Alert("nyc", "shootings", 75, date(2026, 11, 20), 0.05)


class Refuses(BaseHTTPRequestHandler):
    """Says no, and repeats everything that it was told."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = f"not with {self.path} and {dict(self.headers)}"
        body = json.dumps({"message": told, "error": {"message": told}}).encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    refusing = ThreadingHTTPServer(("127.0.0.1", 0), Refuses)
    threading.Thread(target=refusing.serve_forever, args=(0.02,), daemon=True).start()
    yield f"127.0.0.1:{refusing.server_port}"
    refusing.shutdown()
    refusing.server_close()


@pytest.fixture
def settings(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Secrets of the sites from the environment, others from `.env`; every host says no."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("DAGSTER_HOME", "")
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(retries, "FIRST_WAIT_S", 0.0)
    (tmp_path / ".env").write_text(
        f"HTRISK_MLFLOW_TRACKING_URI=http://htrisk:{DATABASE}@{server}\n"
        f"HTRISK_ALERT_TARGET=smtp://desk:{MAIL}@127.0.0.1:9/desk@example.org\n"
    )
    refused = functools.partial(places_service.PlacesService, base_url=f"http://{server}")
    monkeypatch.setattr(places_service, "PlacesService", refused)
    return load_settings(origin="api", home=tmp_path / "home", open_data_url=f"http://{server}")


@dg.asset(key=["nyc", "tried", "mlflow"])
def asks_mlflow(
    context: dg.AssetExecutionContext, tracking: dg.ResourceParam[MlflowTracking]
) -> None:
    """What every training does first."""
    with passing_faults_retried(context):
        tracking.prepare()


def test_no_secret_is_shown_where_it_is_refused(
    settings: Settings,
    server: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    workspace = Workspace(settings)
    area = workspace.area("nyc")
    prepare_dagster_home(settings.dagster_home)
    tracking = MlflowTracking(settings.tracking_uri, settings.mlflow_store)
    definitions = dg.Definitions.merge(
        build_definitions(settings, ["nyc"]), dg.Definitions(assets=[asks_mlflow])
    )
    with local_runner(definitions, area) as runner, stamina.set_testing(True, attempts=1):
        for asset, keys in (
            ("raw/complaints", ("2024-03-01",)),
            ("raw/places_of_interest", ()),
            ("tried/mlflow", ()),
        ):
            with pytest.raises(StepFailedError) as failed:
                runner.materialise(Step(asset, (asset,), keys))
            said.append(str(failed.value))
    for sink, target in (
        ("email", settings.alert_target.get_secret_value() if settings.alert_target else ""),
        ("webhook", f"http://{server}/services/{HOOK}"),
        ("webhook", f"http://127.0.0.1:9/services/{HOOK}"),
    ):
        chosen = load_settings(alert_sink=sink, alert_target=target, home=settings.home)
        with pytest.raises(HtriskError) as unsent:
            sensors.send([ALERT], Workspace(chosen), area)
        said += [str(unsent.value), repr(chosen)]
    said += [repr(settings), str(settings), repr(tracking)]
    said += [str(commands(settings, Ports(1, 2, 3)))]
    database = f"postgresql://htrisk:{DATABASE}@127.0.0.1/mlflow"
    said.append(str(commands(load_settings(mlflow_tracking_uri=database), Ports(1, 2, 3))))
    said.append(CliRunner().invoke(app, ["doctor"]).output)
    said.append(_with_a_bad_key(settings))

    told = "\n".join(said)
    output = "".join(capfd.readouterr())
    assert [s for s in SECRETS if s in told] == [], told
    assert [s for s in SECRETS if s in caplog.text + output] == []
    files = [p for p in settings.home.rglob("*") if p.is_file()]
    assert {p.suffix for p in files} >= {".db"}, "Dagster's history is among them"
    assert [(str(p), s) for p in files for s in SECRETS if shows(p, s)] == []
    # Each was indeed used and refused.
    assert "403" in said[0]
    assert "403" in said[1]
    assert "not with /api" in said[2]


def _with_a_bad_key(settings: Settings) -> str:
    """What is said of a reviewer's key that cannot be read."""
    key = Path("anna.pem")
    key.write_text(f"-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n")
    key.chmod(0o600)
    given = ("review", "--day", "2024-03-01", "--as", "anna", "--key", str(key), "--reason", "because",
             "--approve", "--home", str(settings.home))  # fmt: skip
    done = CliRunner().invoke(app, ["release", *given])
    assert done.exit_code == 1, done.output
    return f"{done.output}{done.stderr}{done.exception!r}"


def test_the_search_would_find_one(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"x {MAIL}")
    assert shows(tmp_path / "a.log", MAIL)
    assert not shows(tmp_path / "a.log", HOOK)
