"""What the code may not do, read off the code itself, and secrets that may be shown nowhere."""

from __future__ import annotations

import ast
import importlib.util
import json
import logging
import pickle
import re
import threading
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import HtriskError, SettingError, SourceError
from htrisk_dagster.models.artifacts import npz_arrays
from htrisk_dagster.models.count_model import MODEL_NAMES, load_model
from htrisk_dagster.publishing.alert_sinks import Alert, send_to_webhook
from htrisk_dagster.schemas import raw
from htrisk_dagster.settings import load_settings, without_password
from htrisk_dagster.sources.layouts import find_files
from htrisk_dagster.study_areas.area import load_area, read_area
from htrisk_dagster.warehouse.catalog import build_catalog

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "htrisk_dagster"
SECRET = "CANARYs3cr3t7Q4Z"
# What runs code that a file holds, or a shell.
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "os.system", "os.popen", "torch.load", "joblib.load", "pickle.load",
    "pickle.loads", "pd.read_pickle", "yaml.load", "yaml.unsafe_load", "mlflow.pyfunc.load_model",
}  # fmt: skip
FORBIDDEN_IMPORTS = {"pickle", "cloudpickle", "joblib", "dill", "marshal", "shelve"}
# Each module that writes CSV without `csv_for_people`, and why it may.
WRITES_CSV = {
    "warehouse/exported_csv.py": "the rule itself",
    "evaluation/exchange_files.py": "numbers and dates that a program reads back to the bit",
    "defs/stored_contents.py": "hashed, never written",
    "sources/synthetic_city/city.py": "the publishers' own layouts",
    "sources/context/places_service.py": "kept answers that only this program reads",
}
SQL = re.compile(r"(select|insert|update|delete|create|alter|drop|attach|copy)\s+\S", re.I)
RUNS_SQL = {
    "warehouse/catalog.py": "DDL of views, which takes no parameter; see the test of names",
    "publishing/snapshot.py": "DDL of tables and columns by their names in `schemas`",
    "dashboard/snapshots.py": "DDL of views over every table of a file, by the names that DuckDB gives",
    "publishing/canary_search.py": "every table of a file, by the names that DuckDB gives",
    "faults/kill_audit.py": "every table of the run history, by the names that SQLite and DuckDB give",
    "faults/readers.py": "every view of the catalog, by the names that DuckDB gives",
}


@cache
def modules() -> list[tuple[str, ast.Module]]:
    paths = sorted(PACKAGE.rglob("*.py"))
    return [(p.relative_to(PACKAGE).as_posix(), ast.parse(p.read_text())) for p in paths]


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_nothing_runs_code_out_of_a_file_or_a_shell():
    found = []
    for name, tree in modules():
        found += [(name, called) for called, _ in calls(tree) if called in FORBIDDEN_CALLS]
        for called, node in calls(tree):
            shell = [k for k in node.keywords if k.arg == "shell"]
            allows = [
                k for k in node.keywords
                if k.arg == "allow_pickle" and getattr(k.value, "value", None) is not False
            ]  # fmt: skip
            found += [(name, called)] * len(shell + allows)
            if called in ("np.load", "numpy.load") and "allow_pickle" not in ast.unparse(node):
                found.append((name, called))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {a.name for a in node.names} | {getattr(node, "module", "") or ""}
                found += [(name, n) for n in names if n.split(".")[0] in FORBIDDEN_IMPORTS]
    assert found == []


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class EveryFile(dict[str, bytes]):
    """The same bytes under any name."""

    def __init__(self, content: bytes) -> None:
        super().__init__({"bomb": content})
        self.content = content

    def __missing__(self, name: str) -> bytes:
        return self.content


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_a_pickle_in_the_place_of_a_model_is_never_run(model: str, tmp_path: Path):
    marker = tmp_path / "ran"
    content = pickle.dumps(Bomb(marker))
    pickle.loads(content)
    assert marker.exists(), "the bomb works"
    marker.unlink()

    with pytest.raises(Exception):  # noqa: B017  # whatever the format says of it
        load_model(model, EveryFile(content))

    assert not marker.exists()


def test_an_array_of_objects_is_refused(tmp_path: Path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.array([Bomb(tmp_path / "ran")], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        npz_arrays(path.read_bytes())
    assert not (tmp_path / "ran").exists()


def test_sql_takes_parameters_never_strings():
    """No statement is put together with values; where DDL must be, its module is named here."""
    built = set()
    for name, tree in modules():
        for called, node in calls(tree):
            runs = called.split(".")[-1] in ("execute", "executemany", "executescript", "sql")
            if runs and node.args and not isinstance(node.args[0], ast.Constant | ast.Name):
                built.add(name)
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr) and SQL.match(ast.unparse(node)[2:]):
                built.add(name)
    assert built == set(RUNS_SQL)


def test_a_path_in_the_catalogs_sql_is_only_ever_a_path(tmp_path: Path):
    import duckdb

    root = tmp_path / "o'; drop schema raw; --[x]"
    folder = root / "raw/complaints/area=nyc"
    folder.mkdir(parents=True)
    raw.COMPLAINTS.empty().write_parquet(folder / "all.parquet")
    catalog = build_catalog(root, [raw.COMPLAINTS])
    with duckdb.connect(str(catalog), read_only=True) as connection:
        assert connection.sql("select count(*) from raw.complaints").fetchall() == [(0,)]


@pytest.mark.parametrize("name", ["../nyc", "/etc/passwd", "nyc/../nyc", "", "."])
def test_a_study_area_is_a_name_and_no_path(name: str):
    with pytest.raises(SettingError, match="There is no study area"):
        load_area(name)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b", "A", "a.b", ""])
@pytest.mark.parametrize("part", ["targets", "series", "offence_groups"])
def test_a_name_in_a_study_areas_file_is_no_path(tmp_path: Path, part: str, name: str):
    """A target names the folder of its models, and the file may come from somebody else."""
    text = (PACKAGE / "study_areas/nyc.toml").read_text()
    old = re.search(rf"^\[{part}\.(\w+)\]", text, re.M)
    assert old is not None
    path = tmp_path / "nyc.toml"
    path.write_text(text.replace(f"[{part}.{old[1]}]", f"[{part}.{json.dumps(name)}]"))
    with pytest.raises(SettingError, match="is no name: small letters"):
        read_area(path)


def test_a_link_out_of_the_data_folder_is_refused(tmp_path: Path):
    outside = tmp_path / "secret.csv"
    outside.write_text("INCIDENT_KEY\n")
    folder = tmp_path / "data"
    (folder / "real").mkdir(parents=True)
    (folder / "real/a.csv").write_text("A\n")
    (folder / "b.csv").symlink_to(folder / "real/a.csv")
    assert find_files(folder, "shootings") == []
    (folder / "c.csv").symlink_to(outside)
    with pytest.raises(SourceError, match=r"c\.csv is a link to a file outside of"):
        find_files(folder, "shootings")


def test_every_csv_for_people_goes_through_the_rule_against_formulas():
    found = {
        name
        for name, tree in modules()
        for called, _ in calls(tree)
        if called.endswith((".write_csv", ".to_csv")) or called in ("csv.writer", "csv.DictWriter")
    }
    assert found - {n for n in found if n.startswith("faults/")} == set(WRITES_CSV)


class SecretHook(BaseHTTPRequestHandler):
    status = 200

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("status", [200, 500])
def test_a_webhooks_path_is_in_no_log_and_no_error(status: int, caplog: pytest.LogCaptureFixture):
    from datetime import date

    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("H", (SecretHook,), {"status": status}))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    said = ""
    try:
        send_to_webhook(
            [Alert("nyc", "shootings", 75, date(2026, 11, 20), 0.05)],
            f"http://127.0.0.1:{server.server_address[1]}/services/{SECRET}",
        )
    except HtriskError as error:
        said = f"{error!r} {error.__cause__!r}"
    server.shutdown()
    server.server_close()
    assert bool(said) == (status == 500)
    assert SECRET not in said + caplog.text


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"https://me:{SECRET}@mlflow.example.org:5000/a", "https://***@mlflow.example.org:5000/a"),
        (f"http://mlflow.example.org/?token={SECRET}", "http://mlflow.example.org/"),
        ("sqlite:////work/mlflow.db", "sqlite:////work/mlflow.db"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, shown: str):
    assert without_password(address) == shown


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch):
    for name in ("SOCRATA_APP_TOKEN", "PLACES_API_KEY", "ALERT_TARGET"):
        monkeypatch.setenv(f"HTRISK_{name}", SECRET)
    settings = load_settings(alert_sink="file")
    assert settings.socrata_app_token is not None
    assert settings.socrata_app_token.get_secret_value() == SECRET
    assert SECRET not in f"{settings!r}{settings}{settings.model_dump_json()}"
    with pytest.raises(SettingError) as refused:
        load_settings(alert_target=[SECRET])
    assert "alert_target" in str(refused.value)
    assert SECRET not in str(refused.value)


def audit():
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci/audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_audit_fails_on_a_vulnerability_and_says_what_it_did_not_look_up():
    good = {"name": "a", "version": "1", "vulns": []}
    bad = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
    skipped = {"name": "c", "skip_reason": "not found"}

    def verdict(*packages: dict[str, object]) -> tuple[int, str]:
        code, lines = audit().verdict(json.dumps({"dependencies": packages}))
        return code, " ".join(lines)

    assert verdict(good)[0] == 0
    code, said = verdict(good, bad, skipped)
    assert code == 1
    assert "2 of 3 packages looked up, 1 vulnerabilities" in said
    assert "not known: c." in said
    assert "b 2: PYSEC-1, mended in 3" in said
    assert audit().verdict("")[0] == 0


def test_every_pin_of_the_lock_has_a_hash_and_is_that_of_the_constraints():
    """Torch is left out, whose CPU build has other bytes at every index, and the installer itself."""
    lock = (ROOT / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.M))
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.M))
    assert len(locked) > 150
    assert {n: v for n, v in locked.items() if pinned.get(n) != v} == {}
    # What is pinned and not locked is of the extras for many machines; nobody else has any of it.
    installed = {d.name.lower().replace("_", "-") for d in distributions()}
    if "ray" not in installed:
        assert (set(pinned) - set(locked)) & installed <= {"torch", "uv"}
    blocks = re.split(r"^(?=[a-z0-9-]+==)", lock, flags=re.M)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


def test_polars_reads_no_object_from_parquet(tmp_path: Path):
    """Parquet holds values alone: a column of Python objects cannot be written in the first place."""
    frame = pl.DataFrame({"a": pl.Series([Bomb(tmp_path / "ran")], dtype=pl.Object)})
    with pytest.raises(pl.exceptions.PolarsError):
        frame.write_parquet(tmp_path / "a.parquet")
