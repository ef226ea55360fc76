"""`htrisk release`: keys, reviews, publication and withdrawal of maps, and the log's proof."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htrisk_dagster.cli.application import (
    Area,
    Data,
    Home,
    Origin,
    Target,
    app,
    chosen_workspace,
    sentences,
)
from htrisk_dagster.errors import ReleaseError

if TYPE_CHECKING:
    from htrisk_dagster.publishing.audit_log import Entry
    from htrisk_dagster.publishing.release_gate import Signer

release = typer.Typer(
    name="release",
    help="Review, publish and withdraw maps: two named reviewers, signed records, a chained log.",
    no_args_is_help=True,
)
app.add_typer(release)

Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Day the map is for.")]
Name = Annotated[str, typer.Option("--as", help="Your name in the file of reviewers.")]
Key = Annotated[Path, typer.Option(help="Your private key, of `htrisk release key`.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence; it is signed and stays.")]


@release.command()
def key(
    to: Annotated[Path, typer.Option(help="New file of your private key; keep it to yourself.")],
    name: Annotated[str, typer.Option("--as", help="Your name on maps.")],
) -> None:
    """Make your key pair, and print what goes into the file of reviewers."""
    with sentences():
        from htrisk_dagster.publishing.signatures import write_new_key

        public = write_new_key(to)
        typer.echo(f'[reviewers."{name}"]\npublic_key = "{public}"')


@release.command("list")
def list_releases(
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    target: Target = None,
    home: Home = None,
) -> None:
    """Say where the map of each day stands, and what it lacks."""
    with sentences():
        from htrisk_dagster.defs.release_reports import release_line
        from htrisk_dagster.defs.released import gate_of, mapped_days, releases_of

        workspace = chosen_workspace(data, origin, target, home)
        study_area, now = workspace.area(area), _now()
        days = mapped_days(workspace, study_area)
        for found in releases_of(workspace, study_area, days, now):
            typer.echo(release_line(found, now))
        typer.echo(f"Head of the log: {gate_of(workspace, study_area).read().head}")


@release.command()
def review(
    day: Day,
    name: Name,
    key: Key,
    reason: Reason,
    approve: Annotated[
        bool, typer.Option("--approve/--reject", help="Your word on the map and its documents.")
    ],
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    target: Target = None,
    home: Home = None,
) -> None:
    """Sign your word on the map of a day and all its documents."""
    with sentences():
        from htrisk_dagster.defs import released

        workspace = chosen_workspace(data, origin, target, home)
        entry = released.review(
            workspace,
            workspace.area(area),
            f"{day:%Y-%m-%d}",
            _signer(name, key),
            is_approved=approve,
            reason=reason,
            at=_now(),
        )
        _told(entry)


@release.command()
def publish(
    day: Day,
    name: Name,
    key: Key,
    reason: Reason,
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    target: Target = None,
    home: Home = None,
) -> None:
    """Hand out the map of a day that two reviewers have approved."""
    with sentences():
        from htrisk_dagster.defs import released

        workspace = chosen_workspace(data, origin, target, home)
        study_area, on = workspace.area(area), f"{day:%Y-%m-%d}"
        entry = released.publish(
            workspace, study_area, on, _signer(name, key), reason=reason, at=_now()
        )
        folder = released.released_folder(workspace, study_area) / entry.record.target / on
        typer.echo(f"Released: {folder}")
        _told(entry)


@release.command()
def withdraw(
    day: Day,
    name: Name,
    key: Key,
    reason: Reason,
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    target: Target = None,
    home: Home = None,
) -> None:
    """Take the map of a day back, for good."""
    with sentences():
        from htrisk_dagster.defs import released

        workspace = chosen_workspace(data, origin, target, home)
        entry = released.withdraw(
            workspace,
            workspace.area(area),
            f"{day:%Y-%m-%d}",
            _signer(name, key),
            reason=reason,
            at=_now(),
        )
        _told(entry)


@release.command()
def verify(
    head: Annotated[
        str | None, typer.Option(help="Head that was printed earlier: it must be in the chain.")
    ] = None,
    area: Area = "nyc",
    data: Data = None,
    origin: Origin = None,
    target: Target = None,
    home: Home = None,
) -> None:
    """Check every signature and link of the log, and every released file against it."""
    with sentences():
        from htrisk_dagster.defs import released
        from htrisk_dagster.publishing.audit_log import verify as problems_of

        workspace = chosen_workspace(data, origin, target, home)
        study_area = workspace.area(area)
        gate = released.gate_of(workspace, study_area)
        found = gate.log.read()
        problems = problems_of(found, gate.reviewers, head=head)
        if problems:
            raise ReleaseError(f"{gate.log.path} cannot be trusted. {' '.join(problems)}")
        if found.torn:
            typer.echo(
                f"The last line was cut off while it was written ({len(found.torn)} bytes); it "
                "never counted."
            )
        out = released.only_reviewed_maps_are_out(workspace, study_area)
        if not out.holds:
            raise ReleaseError(out.sentence)
        typer.echo(f"{len(found.entries)} records, all signed and in one chain. {out.sentence}")
        typer.echo(f"Head: {found.head}")


def _signer(name: str, key: Path) -> Signer:
    from htrisk_dagster.publishing.release_gate import Signer
    from htrisk_dagster.publishing.signatures import read_key

    return Signer(name, read_key(key))


def _told(entry: Entry) -> None:
    record = entry.record
    until = f", until {record.expires_at:%Y-%m-%d %H:%M} UTC" if record.expires_at else ""
    typer.echo(
        f"Record {entry.number}: {record.by}, {record.action}, map of {record.risk_on}, dossier "
        f"{record.dossier[:16]}{until}."
    )
    typer.echo(
        f"Head of the log: {entry.digest}. Keep it elsewhere: it proves that nothing is cut off."
    )


def _now() -> datetime:
    from datetime import UTC

    return datetime.now(UTC)
