"""Which days of a snapshot can be seen: by the log of releases, in views that no page gets around."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.dashboard.application import create_app
from htrisk_dagster.dashboard.release_book import ReleaseBook
from htrisk_dagster.dashboard.snapshots import Snapshot, SnapshotShelf
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.publishing.audit_log import AuditLog
from htrisk_dagster.publishing.review_records import ReviewRecord
from htrisk_dagster_tests.dashboard.small_snapshot import DAYS, write
from htrisk_dagster_tests.publishing.release_people import PEOPLE, REASON, key_of

NOW = datetime.now(UTC).replace(microsecond=0)
LAST_HOUR = NOW - timedelta(hours=1)


class Desk:
    """A snapshot of three days, and the log that says which of them are out."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder / "nyc", folder / "nyc.jsonl"
        self.people = folder / "reviewers.toml"
        self.people.write_text(
            "\n".join(
                f'[reviewers.{p.name}]\npublic_key = "{p.public_key}"\nroles = {list(p.roles)}'
                for p in PEOPLE.people.values()
            )
        )
        write(self.folder)

    def record(
        self,
        action: str,
        day: date,
        *,
        by: str = "anna",
        dossier: str = "",
        at: datetime = LAST_HOUR,
        until: datetime = NOW + timedelta(days=1),
    ) -> None:
        """Append what the gate would; it has tests of its own."""
        digest = dossier or str(1 + DAYS.index(day)) * 64
        expires = until if action in ("approve", "publish") else None
        record = ReviewRecord(action, "nyc", "shootings", day, digest, by, REASON, at, expires, {})
        AuditLog(self.log).append(lambda _: record, signed_by=by, key=key_of(by))

    def publish(self, day: date, **more: datetime | str) -> None:
        for by in ("anna", "ben"):
            self.record("approve", day, by=by)
        self.record("publish", day, **more)  # type: ignore[arg-type]

    def shelf(self, *, with_drafts: bool = False) -> SnapshotShelf:
        book = ReleaseBook(self.log, self.people)
        return SnapshotShelf(self.folder, book, with_drafts=with_drafts)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def days_in(snapshot: Snapshot) -> set[tuple[date, ...]]:
    """Days of every table that has days of risk, whatever way a page may ask for them."""
    tables = snapshot.query(
        "select schema_name || '.' || view_name as name from duckdb_views() where not internal "
        "and exists (from duckdb_columns() c where c.schema_name = duckdb_views.schema_name "
        "and c.table_name = view_name and c.column_name = 'risk_on')"
    )["name"].to_list()
    assert {"predictions.cell_day_risk", "predictions.cell_day_risk_by_cell"} < set(tables)
    assert {"published.model_spread", "published.map_dossiers"} < set(tables)
    return {
        tuple(snapshot.query(f"select distinct risk_on from {t} order by 1")["risk_on"])
        for t in tables
    }


def test_without_a_publication_nothing_can_be_seen(desk: Desk) -> None:
    with pytest.raises(MissingPartitionError, match=r"No map is published. The snapshot holds 3"):
        desk.shelf().newest()
    desk.record("approve", DAYS[0])
    desk.record("approve", DAYS[0], by="ben")
    with pytest.raises(MissingPartitionError, match="No map is published"):
        desk.shelf().newest()


def test_a_published_day_can_be_seen_and_no_other(desk: Desk) -> None:
    shelf = desk.shelf()
    desk.publish(DAYS[1])
    snapshot = shelf.newest()
    assert days_in(snapshot) == {(DAYS[1],)}
    assert snapshot.days == (DAYS[1],)
    assert snapshot.contents["predictions.cell_day_risk"]["rows_count"] == 400
    assert snapshot.contents["predictions.cell_day_risk"]["first_on"] == DAYS[1]
    assert snapshot.contents["grid.cells"]["rows_count"] == 400
    assert (snapshot.stage, snapshot.has_drafts, snapshot.notices) == ("published", False, ())
    assert snapshot.stage_of(DAYS[1]).reviewed_by == ("anna", "ben")
    assert snapshot.stage_of(DAYS[0]).stage == "draft"


def test_a_withdrawn_day_goes_with_the_next_question_and_is_told(desk: Desk) -> None:
    shelf = desk.shelf()
    desk.publish(DAYS[0])
    desk.publish(DAYS[1])
    assert shelf.newest().days == DAYS[:2]
    desk.record("withdraw", DAYS[1], at=NOW)
    assert shelf.newest().days == DAYS[:1]
    told = f"The map of 2024-12-01 is not shown. It was withdrawn on {NOW:%Y-%m-%d}: {REASON}"
    assert shelf.newest().notices == (told,)
    # Not even those who are shown drafts see it.
    with_drafts = desk.shelf(with_drafts=True).newest()
    assert with_drafts.days == (DAYS[0], DAYS[2])
    assert with_drafts.notices == (told,)


def test_what_has_expired_or_was_made_anew_is_not_out(desk: Desk) -> None:
    desk.publish(DAYS[0], until=NOW - timedelta(minutes=1))
    desk.publish(DAYS[1])
    desk.publish(DAYS[2], dossier="f" * 64)
    snapshot = desk.shelf().newest()
    assert days_in(snapshot) == {(DAYS[1],)}
    newest, oldest = snapshot.notices
    assert "2024-12-02 is not shown. It was made anew since it was published" in newest
    assert "2024-11-30 is not shown. It was published until" in oldest
    stages = desk.shelf(with_drafts=True).newest().stages
    assert [stages[d].stage for d in DAYS] == ["expired", "published", "reviewed"]


def test_a_publication_ends_while_the_dashboard_runs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.publish(DAYS[0])
    desk.publish(DAYS[1], until=NOW + timedelta(hours=2))
    shelf = desk.shelf()
    assert shelf.newest().days == DAYS[:2]

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):  # type: ignore[no-untyped-def]
            return NOW + timedelta(hours=2)

    monkeypatch.setattr("htrisk_dagster.dashboard.snapshots.datetime", Later)
    assert shelf.newest().days == DAYS[:1]


def test_a_log_that_was_tampered_with_publishes_nothing(desk: Desk) -> None:
    desk.publish(DAYS[0])
    shelf = desk.shelf()
    assert shelf.newest().days == DAYS[:1]
    desk.log.write_bytes(desk.log.read_bytes().replace(b"2024-11-30", b"2024-12-01"))
    with pytest.raises(MissingPartitionError, match="cannot be trusted, so nothing is shown"):
        shelf.newest()


def test_records_of_another_target_or_signer_publish_nothing(desk: Desk) -> None:
    strangers = desk.people.read_text().replace("[reviewers.ben]", "[reviewers.eve]")
    desk.publish(DAYS[0])
    desk.people.write_text(strangers)
    with pytest.raises(MissingPartitionError, match="'ben', signed by 'ben', is not in the file"):
        desk.shelf().newest()


def test_files_and_pages_of_a_draft_are_marked_and_those_of_a_published_day_are_not(
    desk: Desk,
) -> None:
    desk.publish(DAYS[1])

    def client(*, with_drafts: bool):  # type: ignore[no-untyped-def]
        book = ReleaseBook(desk.log, desk.people)
        return create_app(desk.folder, book=book, with_drafts=with_drafts).server.test_client()

    public, inside = client(with_drafts=False), client(with_drafts=True)
    answer = public.get("/download/risk/2024-12-01.csv")
    assert 'filename="risk_nyc_2024-12-01.csv"' in answer.headers["Content-Disposition"]
    assert set(pl.read_csv(answer.data)["review_stage"]) == {"published"}
    assert public.get("/download/risk/2024-12-02.csv").status_code == 404
    assert public.get("/data/risk/2024-11").status_code == 404
    assert public.get("/download/published.map_dossiers.csv").data.count(b"\n") == 2

    answer = inside.get("/download/risk/2024-12-02.csv")
    assert 'filename="DRAFT_risk_nyc_2024-12-02.csv"' in answer.headers["Content-Disposition"]
    assert set(pl.read_csv(answer.data)["review_stage"]) == {"draft"}
    answer = inside.get("/download/risk/2024-12-01.csv")
    assert 'filename="risk_' in answer.headers["Content-Disposition"]
    answer = inside.get("/download/grid.cells.csv")
    assert 'filename="DRAFT_grid.cells.csv"' in answer.headers["Content-Disposition"]
    assert set(pl.read_csv(answer.data)["review_stage"]) == {"draft"}


@pytest.mark.parametrize("with_drafts", [True, False])
def test_every_page_says_that_it_shows_drafts(desk: Desk, *, with_drafts: bool) -> None:
    desk.publish(DAYS[1])
    book = ReleaseBook(desk.log, desk.people)
    app = create_app(desk.folder, book=book, with_drafts=with_drafts)
    ask = {
        "output": "..page.children...page-title.data...navigation.children..",
        "outputs": [
            {"id": "page", "property": "children"},
            {"id": "page-title", "property": "data"},
            {"id": "navigation", "property": "children"},
        ],
        "state": [{"id": "address", "property": "search", "value": ""}],
        "changedPropIds": ["address.pathname"],
    }
    client = app.server.test_client()
    for path in ("/", "/models", "/about", "/officers"):
        ask["inputs"] = [{"id": "address", "property": "pathname", "value": path}]
        words = client.post("/_dash-update-component", json=ask).text
        assert ("DRAFT. 2 of the 3 maps here" in words) == with_drafts, path
