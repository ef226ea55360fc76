"""From draft to withdrawn on the city: dossiers, the gate, the folder of released maps, the command."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.cli import app
from htrisk_dagster.defs import released
from htrisk_dagster.defs.daily_reports import report_path
from htrisk_dagster.defs.forecast import map_path
from htrisk_dagster.defs.governed import store_canary_searches
from htrisk_dagster.defs.release_reports import hand_out_days, release_line
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import MissingPartitionError, ReleaseError
from htrisk_dagster.publishing.dossier import OF_THE_MODEL, REQUIRED
from htrisk_dagster.publishing.release_gate import Signer
from htrisk_dagster.publishing.signatures import read_key, write_new_key
from htrisk_dagster.schemas import governance
from htrisk_dagster_tests.defs.small_city import City
from typer.testing import CliRunner

DAY, MONTH, TARGET = "2024-04-05", "2024-04-01", "trafficking_related"
REASON = "Looked at every cell of the top band."
NOW = datetime(2024, 4, 4, 12, tzinfo=UTC)
PAGES = {
    "risk_map.html", "daily_report.html", "model_card.md", "data_sheet.md", "fairness.csv",
    "feedback_loop.csv",
}  # fmt: skip


class Desk:
    """The copy of a city at which two reviewers sit."""

    def __init__(self, city: City, folder: Path) -> None:
        self.city, self.keys = city, folder / "keys"
        entries = [
            f'[reviewers.{name}]\npublic_key = "{write_new_key(self.keys / name)}"'
            for name in ("anna", "ben")
        ]
        self.file = folder / "reviewers.toml"
        self.file.write_text("\n".join(entries))
        self.workspace = Workspace(city.settings.model_copy(update={"reviewers_file": self.file}))
        self.area = self.workspace.area("nyc")

    def signer(self, name: str) -> Signer:
        return Signer(name, read_key(self.keys / name))

    def approve(self, *names: str) -> None:
        for name in names:
            released.review(
                self.workspace, self.area, DAY, self.signer(name), is_approved=True,
                reason=REASON, at=NOW,
            )  # fmt: skip

    def publish(self) -> None:
        signer = self.signer("anna")
        released.publish(self.workspace, self.area, DAY, signer, reason=REASON, at=NOW)

    def out(self) -> set[str]:
        folder = released.released_folder(self.workspace, self.area) / TARGET / DAY
        return {p.name for p in folder.glob("*")}

    def only_reviewed(self, at: datetime | None = None) -> bool:
        at = at or NOW
        return released.only_reviewed_maps_are_out(self.workspace, self.area, at).holds


@pytest.fixture(scope="module")
def office(city: City, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One copy of the city for all tests here."""
    folder = tmp_path_factory.mktemp("office")
    return Desk(city.copy_to(folder / "city"), folder)


@pytest.fixture
def desk(office: Desk) -> Iterator[Desk]:
    """The desk without any record, and its documents as they were once a test is done."""
    shutil.rmtree(office.workspace.settings.releases, ignore_errors=True)
    store = office.workspace.tables("nyc")
    kept = [store.path(t, MONTH) for t in governance.MODEL_TABLES]
    kept.append(store.path(governance.CANARY_SEARCH, DAY))
    content = {path: path.read_bytes() for path in kept}
    yield office
    for path, was in content.items():
        path.write_bytes(was)


def test_the_run_has_made_every_document_of_every_day(city: City) -> None:
    for day in ("2024-03-30", "2024-03-31", "2024-04-01", DAY):
        dossier = released.dossier_of(city.workspace, city.area, day)
        assert dossier.lacks() == []
        assert set(dossier.documents) == set(REQUIRED)
    # Maps of March are of another model than those of April.
    march, april = (
        released.dossier_of(city.workspace, city.area, day) for day in ("2024-03-31", DAY)
    )
    for name in OF_THE_MODEL:
        assert march.documents[name].last_on < april.documents[name].last_on


def test_without_reviews_nothing_is_out(desk: Desk) -> None:
    with pytest.raises(ReleaseError, match="needs valid reviews of 2 different reviewers"):
        desk.publish()
    assert desk.out() == set()
    figures = hand_out_days(desk.workspace, desk.area, [DAY])
    assert (figures[DAY]["state"], figures[DAY]["reviewed_by"]) == ("draft", "nobody")


def test_what_is_published_says_who_reviewed_it_and_goes_when_it_is_withdrawn(desk: Desk) -> None:
    desk.approve("anna", "ben")
    desk.publish()

    assert desk.out() == PAGES
    assert desk.only_reviewed()
    folder = released.released_folder(desk.workspace, desk.area) / TARGET / DAY
    digest = released.dossier_of(desk.workspace, desk.area, DAY).digest
    for page in ("risk_map.html", "daily_report.html"):
        text = (folder / page).read_text()
        assert f"PUBLISHED - reviewed by anna and ben; dossier {digest[:16]}" in text
        assert "DRAFT" not in text
    (release,) = released.releases_of(desk.workspace, desk.area, [DAY], NOW)
    until = NOW + timedelta(days=30)
    line = release_line(release, NOW)
    assert f"published  reviewed by anna, ben  out until {until:%Y-%m-%d}" in line

    signer = desk.signer("ben")
    released.withdraw(desk.workspace, desk.area, DAY, signer, reason=REASON, at=NOW)
    assert desk.out() == set()
    (release,) = released.releases_of(desk.workspace, desk.area, [DAY], NOW)
    assert f"withdrawn  reviewed by anna, ben  by ben: {REASON}" in release_line(release, NOW)


def test_what_has_expired_is_taken_away(desk: Desk) -> None:
    desk.approve("anna", "ben")
    desk.publish()
    late = NOW + timedelta(days=30)
    assert not desk.only_reviewed(late), "it still lies there"
    assert released.hand_out(desk.workspace, desk.area, late) == []
    assert desk.out() == set()
    assert desk.only_reviewed(late)


def spoil_card(desk: Desk) -> None:
    store = desk.workspace.tables("nyc")
    card = store.read(governance.MODEL_CARD, [MONTH])
    changed = card.with_columns(pl.lit("All is well.").alias("text"))
    made_from = store.made_from(governance.MODEL_CARD)[MONTH]
    store.write(governance.MODEL_CARD, changed, MONTH, made_from=made_from)


def test_reviews_are_of_the_documents_as_they_were(desk: Desk) -> None:
    desk.approve("anna", "ben")
    spoil_card(desk)
    with pytest.raises(ReleaseError, match="that of nobody"):
        desk.publish()


REMOVALS: dict[str, Callable[[Desk], Path]] = {
    "risk map": lambda d: map_path(d.workspace, d.area, DAY),
    "daily report": lambda d: report_path(d.workspace, d.area, DAY),
    "canary search": lambda d: d.workspace.tables("nyc").path(governance.CANARY_SEARCH, DAY),
    **{
        name: lambda d, t=table: d.workspace.tables("nyc").path(t, MONTH)
        for name, table in zip(OF_THE_MODEL, governance.MODEL_TABLES, strict=True)
    },
}


def test_any_missing_document_stops_the_release(desk: Desk) -> None:
    desk.approve("anna", "ben")
    for name, path_of in REMOVALS.items():
        path = path_of(desk)
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(ReleaseError, match=f"There is no {name}"):
            desk.publish()
        assert not released.dossiers_are_whole(desk.workspace, desk.area, [DAY]).holds
        path.write_bytes(content)
    assert set(REMOVALS) == set(REQUIRED)
    desk.publish()


def test_a_leak_of_the_planted_case_stops_every_release(desk: Desk) -> None:
    desk.approve("anna", "ben")
    leak = desk.workspace.settings.warehouse / "reports" / "nyc" / "notes.txt"
    leak.write_text(desk.workspace.canary(desk.area).text)
    store_canary_searches(desk.workspace, desk.area, [DAY])
    leak.unlink()
    with pytest.raises(ReleaseError, match=r"The planted case is in notes\.txt \(reports\)"):
        desk.publish()


def test_a_search_that_is_made_again_among_more_files_is_the_same(desk: Desk) -> None:
    store, table = desk.workspace.tables("nyc"), governance.CANARY_SEARCH
    store.path(table, DAY).unlink()
    store_canary_searches(desk.workspace, desk.area, [DAY])
    first = store.path(table, DAY).read_bytes()
    (desk.workspace.settings.warehouse / "reports" / "nyc" / "notes.txt").write_text("Nothing.")
    store_canary_searches(desk.workspace, desk.area, [DAY])
    assert store.path(table, DAY).read_bytes() == first


def test_a_day_of_which_nothing_is_published_is_not_searched(desk: Desk) -> None:
    with pytest.raises(MissingPartitionError, match="Nothing of 2031-01-01 is published"):
        store_canary_searches(desk.workspace, desk.area, ["2031-01-01"])


def test_strangers_and_changed_files_among_the_released_are_told(desk: Desk) -> None:
    desk.approve("anna", "ben")
    desk.publish()
    folder = released.released_folder(desk.workspace, desk.area) / TARGET
    page = folder / DAY / "risk_map.html"
    page.write_text(page.read_text().replace("PUBLISHED", "APPROVED"))
    told = released.only_reviewed_maps_are_out(desk.workspace, desk.area, NOW)
    assert not told.holds
    assert f"{DAY}/risk_map.html" in told.sentence
    # It is made whole again from what was reviewed, and a stranger goes.
    (folder / "2024-04-04").mkdir()
    (folder / "2024-04-04" / "risk_map.html").write_text("a draft")
    (folder / "notes.txt").write_text("a stray file")
    assert (
        f"Not released: {TARGET}/2024-04-04"
        in released.only_reviewed_maps_are_out(desk.workspace, desk.area, NOW).sentence
    )
    assert released.hand_out(desk.workspace, desk.area, NOW) == [DAY]
    assert desk.only_reviewed()
    assert [p.name for p in folder.iterdir()] == [DAY]


def test_the_command_from_keys_to_proof(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = desk.city.settings
    for name, value in {
        "REVIEWERS_FILE": desk.file, "PROFILE": "smoke", "HOME": settings.home,
        "HISTORY_START": settings.history_start, "DATA_DIR": settings.data_dir, "ORIGIN": settings.origin,
    }.items():  # fmt: skip
        if value is not None:
            monkeypatch.setenv(f"HTRISK_{name}", str(value))

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["release", *arguments], terminal_width=200)
        assert result.exit_code == code, result.output
        return result.output

    def sign(command: str, name: str, *more: str, code: int = 0) -> str:
        given = ("--day", DAY, "--as", name, "--key", str(desk.keys / name), "--reason", REASON)
        return run(command, *given, *more, code=code)

    assert f"{DAY}  draft" in run("list")
    assert "needs valid reviews" in sign("publish", "anna", code=1)
    sign("review", "anna", "--approve")
    told = sign("review", "ben", "--approve")
    assert f"Record 2: ben, approve, map of {DAY}" in told
    head = told.split("Head of the log: ")[1][:64]
    assert "Released: " in sign("publish", "anna")
    assert "3 records, all signed and in one chain. 1 maps are out" in run("verify")
    run("verify", "--head", head)
    log = settings.releases / "log" / "nyc.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole.splitlines(keepends=True)[0])
    assert "lines were cut off or replaced" in run("verify", "--head", head, code=1)
    log.write_bytes(whole.replace(b"approve", b"applaud", 1))
    assert "cannot be trusted" in run("verify", code=1)
    assert "cannot be added to" in sign("withdraw", "anna", code=1)
    log.write_bytes(whole)
    sign("withdraw", "anna")
    assert f"{DAY}  withdrawn" in run("list")
    assert desk.out() == set()


def test_a_key_is_made_with_its_entry(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["release", "key", "--to", str(tmp_path / "eve"), "--as", "eve"]
    )
    assert result.exit_code == 0
    assert result.output.startswith('[reviewers."eve"]\npublic_key = "')
    assert (tmp_path / "eve").is_file()
