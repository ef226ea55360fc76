"""`htrisk area new` and `htrisk area check`: a city's own file as a study area, and what it would lose."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htrisk_dagster.cli.application import app, sentences
from htrisk_dagster.cli.area_questions import Asking, centre_of, one_of, pairs_of
from htrisk_dagster.errors import SettingError

if TYPE_CHECKING:
    from htrisk_dagster.sources.area_proposal.choices import BoundaryFile
    from htrisk_dagster.sources.area_proposal.evidence import CityFile, Evidence

area_app = typer.Typer(
    name="area", help="Study areas of your own: propose one, check one.", no_args_is_help=True
)
app.add_typer(area_app)

NOTHING_LOST, ROWS_LOST = 0, 2


@area_app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name, small letters, such as montevideo.")],
    source: Annotated[Path, typer.Option("--from", help="The city's CSV, JSON or Parquet file.")],
    to: Annotated[
        Path | None, typer.Option(help="Folder to write to; HTRISK_STUDY_AREAS if not given.")
    ] = None,
    mapped: Annotated[
        list[str] | None,
        typer.Option("--map", help="ROLE=COLUMN, or ROLE= for none; once for each role."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Name for people; made of NAME else.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="IANA name, America/Detroit.")] = None,
    times: Annotated[
        str | None, typer.Option(help="local or utc, of times that do not tell their offset.")
    ] = None,
    dates: Annotated[
        str | None, typer.Option(help="day-first or month-first, where the year comes last.")
    ] = None,
    boundary: Annotated[
        str | None, typer.Option(help="FILE.geojson:PROPERTY of the city or its districts.")
    ] = None,
    areas: Annotated[
        str | None, typer.Option(help="FILE.geojson:PROPERTY with the codes of areas.")
    ] = None,
    centre: Annotated[
        str | None, typer.Option(help="LATITUDE,LONGITUDE of a city without coordinates.")
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="Label of an offence to forecast; several make one target."),
    ] = None,
    country: Annotated[
        str | None, typer.Option(help="Country of holidays, and part of it: US or US-MI.")
    ] = None,
    lag_days: Annotated[int, typer.Option(help="Days from report to publication.")] = 1,
    yes: Annotated[bool, typer.Option("--yes", help="Take what is proposed, ask nothing.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a file of the name.")] = False,
) -> None:
    """Look at a city's file, propose its study area with the evidence, ask what it cannot know, write it."""
    with sentences():
        from htrisk_dagster.sources.area_proposal import choices as follow
        from htrisk_dagster.sources.area_proposal.evidence import (
            columns_left,
            propose,
            read_city_file,
        )
        from htrisk_dagster.sources.area_proposal.study_area_text import (
            AreaChoices,
            offence_groups,
            study_area_text,
            targets_of,
            write_study_area,
        )

        folder = _folder(to)
        ask = Asking(yes)
        file = read_city_file(source, datetime.now(UTC).date() + timedelta(days=1))
        evidence = propose(file, pairs_of(mapped or []))
        _show(evidence, columns_left(file, evidence.values()), file)
        evidence = ask.about_columns(file, evidence)
        columns = {role: e.column for role, e in evidence.items()}
        unit = follow.unit_of(columns)
        day_first = ask.day_order(dates, follow.told_day_first(file, columns))
        outline, shapes = _boundary(boundary), _boundary(areas)
        points = follow.points_of(file, columns)
        ground = follow.ground_of(points, outline or shapes, centre_of(centre))
        zone = ask.time_zone(time_zone, ground.middle)
        country_code, subdivision = ask.country(country, zone)
        labels = file.values(columns["offence"]) if "offence" in columns else None
        counts = dict(labels.value_counts().rows()) if labels is not None else {}
        groups = offence_groups(counts)
        targets = targets_of(groups)
        if target:
            groups, targets = _chosen_target(target, counts, groups, targets)
        district = columns.get("district") or columns.get("agency")
        places = follow.areas_of(points, file.rows[district] if district else None, unit)
        text = study_area_text(
            AreaChoices(
                name=name,
                title=title or name.replace("_", " ").title(),
                time_zone=zone,
                country=country_code,
                subdivision=subdivision,
                first_day=follow.first_day(file, columns, day_first),
                lag_days=lag_days,
                columns=columns,
                times_are=one_of("--times", times or "local", ("local", "utc")),
                day_first=day_first,
                ground=ground,
                unit=unit,
                cell_size_m=follow.cell_size_of(unit, shapes, ground.crs),
                areas=places,
                boundary={
                    role: part.published
                    for role, part in (("outline", outline), ("areas", shapes))
                    if part
                },
                offences=groups,
                targets=targets,
                found=follow.words_of(evidence),
            )
        )
        path = folder / f"{name}.toml"
        write_study_area(text, path, replace=replace)
        typer.echo(f"\n{path}: {unit}s in {ground.crs}, {zone}, {len(places)} areas.")
        typer.echo(_what_maps_show(unit, shapes is not None, len(places)))
        typer.echo(
            f"Target: {next(iter(targets))}. Look at what would be lost, then make maps, with"
        )
        typer.echo(f"  HTRISK_STUDY_AREAS={folder} htrisk area check {name} --data {source}")
        typer.echo(
            f"  HTRISK_STUDY_AREAS={folder} htrisk run --area {name} --data {source.parent} "
            "--start DAY --end DAY"
        )
        typer.echo("and months, weeks and days to come of every area with")
        typer.echo(
            f"  HTRISK_STUDY_AREAS={folder} htrisk series --area {name} --data {source.parent} "
            "--month FIRST-OF-MONTH"
        )


@area_app.command()
def check(
    name: Annotated[str, typer.Argument(help="Study area.")],
    data: Annotated[Path, typer.Option(help="The city's file, or the folder of its files.")],
    areas_folder: Annotated[
        Path | None, typer.Option("--areas", help="Folder of study areas; HTRISK_STUDY_AREAS else.")
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(help="CSV to write every lost row to, with its number and reason."),
    ] = None,
    examples: Annotated[int, typer.Option(help="Examples shown of each reason.")] = 3,
    tolerate: Annotated[
        float, typer.Option(help="Percent of rows that may be lost without a sign of failure.")
    ] = 0.0,
) -> None:
    """Say row by row what of a city's file would be lost, and why; exit code 2 where rows would be."""
    with sentences():
        from htrisk_dagster.grid.area_losses import find_losses
        from htrisk_dagster.study_areas.area import load_area

        area = load_area(name, areas_folder or _own_folder())
        if area.incident_file is None:
            raise SettingError(
                f"Study area '{name}' reads publishers' files that have rules of their own; only one with "
                "[incident_file] can be checked against a city's file."
            )
        losses = find_losses(area, data)
        if losses.rows_read == 0:
            raise SettingError(
                f"{data} holds no file with the columns of '{name}': {', '.join(area.incident_file.columns)}."
            )
        typer.echo(
            f"{losses.rows_read} rows read, {losses.rows_kept} with a place "
            f"({100 * (1 - losses.lost_share):.1f}%)."
        )
        for row in losses.by_reason(examples).iter_rows(named=True):
            typer.echo(
                f"\n{row['stage']}: {row['rows']} rows ({100 * row['share']:.2f}%), {row['rule']}"
                f"{', column ' + row['column'] if row['column'] else ''}\n  {row['reason']}\n"
                f"  rows {row['examples']}"
            )
        if rows:
            from htrisk_dagster.warehouse.exported_csv import csv_for_people

            rows.write_text(csv_for_people(losses.lost), encoding="utf-8")
            typer.echo(f"\nEvery one of them: {rows}")
        is_well = 100 * losses.lost_share <= tolerate
    raise typer.Exit(NOTHING_LOST if is_well else ROWS_LOST)


def _what_maps_show(unit: str, has_shapes: bool, n_areas: int) -> str:
    """What a reader of the city's maps will see, in a sentence."""
    ranked = "beside a table of the highest by rank"
    if unit == "cell":
        return f"Maps: squares of ground coloured by rank, {ranked}."
    if has_shapes:
        return f"Maps: the shapes of the {n_areas} areas coloured by rank, {ranked}."
    return (
        f"Maps: a square for each of the {n_areas} areas, in order and not where it lies, {ranked}. Give "
        "--areas FILE.geojson:PROPERTY to draw their shapes."
    )


def _show(evidence: Mapping[str, Evidence], left: list[str], file: CityFile) -> None:
    typer.echo(f"{file.rows.height} rows of {file.path}")
    for role, e in evidence.items():
        typer.echo(f"  {role:<14}{e.column}   {100 * e.confidence:.0f}% sure: {e.reason}")
        typer.echo(f"  {'':<14}such as {', '.join(e.examples)}")
    typer.echo(f"  never read:   {', '.join(left) or 'none'}")


def _chosen_target(
    labels: list[str],
    counts: Mapping[str, int],
    groups: Mapping[str, tuple[str, ...]],
    targets: Mapping[str, tuple[str, tuple[str, ...]]],
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, tuple[str, ...]]]]:
    """Groups and targets with the user's labels first, taken out of the groups that they were in."""
    from htrisk_dagster.sources.area_proposal.study_area_text import slug

    unknown = [label for label in labels if label not in counts]
    if unknown:
        known = ", ".join(sorted(counts, key=lambda label: -counts[label])[:20])
        raise SettingError(f"No row has the offence {', '.join(unknown)}. The file has: {known}.")
    name = slug(labels[0])
    others = {
        group: left
        for group, named in groups.items()
        if (left := tuple(label for label in named if label not in labels)) and group != name
    }
    chosen = {name: (", ".join(labels).lower(), (name,))}
    kept = {t: part for t, part in targets.items() if all(g in others for g in part[1])}
    return {name: tuple(labels), **others}, {**chosen, **kept}


def _boundary(given: str | None) -> BoundaryFile | None:
    from htrisk_dagster.sources.area_proposal.choices import BoundaryFile

    if given is None:
        return None
    path, _, prop = given.rpartition(":")
    if not path or not prop:
        raise SettingError(f"'{given}' is no FILE.geojson:PROPERTY, such as beats.geojson:BEAT.")
    return BoundaryFile(Path(path), prop)


def _own_folder() -> Path | None:
    from htrisk_dagster.settings import load_settings

    return load_settings().study_areas


def _folder(to: Path | None) -> Path:
    folder = to or _own_folder()
    if folder is None:
        raise SettingError(
            "Nothing says where your study areas lie. Give --to FOLDER, or set HTRISK_STUDY_AREAS."
        )
    return folder
