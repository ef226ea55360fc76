"""`htrisk area new` and `check`: two invented cities in unlike layouts, what is asked, what is lost."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result
from htrisk_dagster.cli import app
from htrisk_dagster.study_areas.area import FOLDER, read_area
from htrisk_dagster_tests.invented_cities import BEATS, write_beats, write_falls, write_sur
from htrisk_dagster_tests.sources.misbehaving_arcgis import running_layer
from typer.testing import CliRunner

Invoke = Callable[..., Result]
ZONE = ("--time-zone", "America/Montevideo")


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run `htrisk area` in an empty folder, with study areas of the user's own below it."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, answers: str | None = None) -> Result:
        return CliRunner().invoke(
            app, ["area", *arguments], input=answers, terminal_width=200,
            env={"HTRISK_STUDY_AREAS": str(tmp_path / "mine")},
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def sur(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sur(tmp_path_factory.mktemp("sur"), per_day=8)


@pytest.fixture(scope="module")
def falls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_falls(tmp_path_factory.mktemp("falls"), per_day=8)


def refusal(result: Result) -> str:
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    return result.stderr


def test_a_city_of_points_in_the_south_is_proposed(invoke: Invoke, sur: Path, tmp_path: Path):
    result = invoke("new", "sur", "--from", str(sur), *ZONE, "--yes")
    assert result.exit_code == 0, result.output
    assert "such as 900000" in result.stdout
    assert "Sexo Victima" not in result.stdout
    assert "Maps: squares of ground coloured by rank" in result.stdout
    assert f"htrisk run --area sur --data {sur.parent} --start DAY" in result.stdout
    assert f"htrisk series --area sur --data {sur.parent} --month" in result.stdout
    area = read_area(tmp_path / "mine" / "sur.toml")
    assert area.incident_file.model_dump(exclude_none=True) == {
        "occurred_at": "Fecha Hecho", "reported_at": "Fecha Denuncia", "id": "Nro. Expediente",
        "offence": "Delito", "latitude": "Latitud", "longitude": "Longitud", "area": "Seccional",
        "times_are": "local", "day_first": True,
    }  # fmt: skip
    assert (area.grid.crs, area.grid.unit, area.holidays.country) == ("EPSG:32721", "cell", "UY")
    assert {code: p.number for code, p in area.areas.items()} == {"1": 1, "2": 2, "3": 3, "4": 4}
    # Precinct 1 is the south-west, 4 the north-east.
    assert area.areas["1"].lon < area.areas["4"].lon
    assert area.areas["1"].lat < area.areas["4"].lat
    assert str(area.first_day) == "2023-09-01"
    assert next(iter(area.targets)) == "trafficking_related"
    assert area.offence_groups["trafficking_related"].labels == ("TRATA DE PERSONAS",)


def test_a_city_of_beats_is_proposed_at_area_level(invoke: Invoke, falls: Path, tmp_path: Path):
    given = ("new", "falls", "--from", str(falls), "--time-zone", "America/Chicago", "--yes")
    assert "--centre LATITUDE,LONGITUDE" in refusal(invoke(*given))
    result = invoke(*given, "--centre", "40.8,-96.7", "--target", "Prostitution")
    assert result.exit_code == 0, result.output
    area = read_area(tmp_path / "mine" / "falls.toml")
    assert (area.grid.unit, area.grid.crs, area.boundary) == ("area", "EPSG:32614", None)
    assert f"a square for each of the {len(BEATS)} areas" in result.stdout
    assert "Give --areas FILE.geojson:PROPERTY to draw their shapes" in result.stdout
    # The two rows of beat Z9 are no area.
    assert tuple(area.areas) == BEATS
    assert {area.areas[b].district for b in BEATS} == {"Prairie Falls PD", "County Sheriff"}
    assert next(iter(area.targets)) == "prostitution"


def test_shapes_of_beats_give_the_place_and_the_size_of_cells(
    invoke: Invoke, falls: Path, tmp_path: Path
):
    beats = write_beats(tmp_path)
    result = invoke(
        "new", "falls", "--from", str(falls), "--time-zone", "America/Chicago", "--yes",
        "--areas", f"{beats}:BEAT_ID",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    area = read_area(tmp_path / "mine" / "falls.toml")
    assert f"Maps: the shapes of the {len(BEATS)} areas" in result.stdout
    assert area.boundary.areas == "beat_id"
    # 0.024 degrees at 40.8 north are 2,024 m, 0.018 of latitude 1,999 m.
    assert area.grid.cell_size_m == pytest.approx(2_020, abs=20)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "The time zone cannot be known for sure; the nearest one is America/Montevideo"),
        ((*ZONE, "--map", "offence"), "is no ROLE=COLUMN"),
        ((*ZONE, "--map", "offence=Crime"), "no column 'Crime' for offence"),
        ((*ZONE, "--map", "occurred_at=", "--map", "reported_at="), "No column tells when"),
        ((*ZONE, "--map", "latitude=", "--map", "area="), "No column tells where"),
        ((*ZONE, "--target", "HOMICIDIO"), "No row has the offence HOMICIDIO"),
        ((*ZONE, "--dates", "years"), "--dates years is none of day-first, month-first"),
        (("--time-zone", "America/Gotham"), "no time zone"),
        ((*ZONE, "--boundary", "outline.geojson"), "no FILE.geojson:PROPERTY"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_written(
    invoke: Invoke, sur: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
):
    assert words in refusal(invoke("new", "sur", "--from", str(sur), "--yes", *arguments))
    assert not (tmp_path / "mine").exists()


def test_what_it_cannot_know_is_asked(invoke: Invoke, sur: Path, tmp_path: Path):
    # Another column, none for the area, on; the zone that is proposed is taken.
    answers = "offence=Delito\narea=\n\n\n"
    result = invoke("new", "sur", "--from", str(sur), answers=answers)
    assert result.exit_code == 0, result.output
    assert "Time zone [America/Montevideo]" in result.stdout
    area = read_area(tmp_path / "mine" / "sur.toml")
    assert area.incident_file.area is None
    assert area.areas == {}


def test_a_file_that_is_there_is_not_replaced_unasked(invoke: Invoke, sur: Path, tmp_path: Path):
    given = ("new", "sur", "--from", str(sur), *ZONE, "--yes")
    assert invoke(*given).exit_code == 0
    assert "is there already" in refusal(invoke(*given))
    assert invoke(*given, "--replace", "--title", 'La "Plata"').exit_code == 0
    assert tomllib.loads((tmp_path / "mine" / "sur.toml").read_text())["title"] == 'La "Plata"'


def test_every_lost_row_is_told_with_its_reason(invoke: Invoke, sur: Path, tmp_path: Path):
    invoke("new", "sur", "--from", str(sur), *ZONE, "--yes")
    lost_file = tmp_path / "lost.csv"
    result = invoke("check", "sur", "--data", str(sur), "--rows", str(lost_file))
    n = sur.read_text().count("\n") - 1
    assert result.exit_code == 2
    # The file's last rows: a day that is none, no point, told before it happened, no number, a number
    # that came before.
    lost = pl.read_csv(lost_file).filter(pl.col("source_row") >= n - 5)
    assert lost.select("source_row", "stage", "rule").rows() == [
        (n - 5, "repeated", "repeated_number"),
        (n - 4, "refused", "occurrence_date_unreadable"),
        (n - 3, "not placed", "missing"),
        (n - 2, "refused", "report_before_occurrence"),
        (n - 1, "refused", "number_missing"),
    ]
    assert f"{n} rows read" in result.stdout
    assert f"rows {n - 4} (31/02/2024 10:00)" in result.stdout
    assert invoke("check", "sur", "--data", str(sur), "--tolerate", "5").exit_code == 0


def test_an_unknown_beat_is_a_loss_and_known_ones_are_none(invoke: Invoke, falls: Path):
    invoke("new", "falls", "--from", str(falls), "--time-zone", "America/Chicago", "--yes",
           "--centre", "40.8,-96.7")  # fmt: skip
    result = invoke("check", "falls", "--data", str(falls))
    assert result.exit_code == 2
    assert "refused: 2 rows" in result.stdout
    assert "(Z9)" in result.stdout
    assert result.stdout.count("\n  rows ") == 1


def test_a_file_of_other_columns_and_an_area_without_any_are_told(
    invoke: Invoke, sur: Path, falls: Path
):
    invoke("new", "sur", "--from", str(sur), *ZONE, "--yes")
    assert "holds no file with the columns" in refusal(invoke("check", "sur", "--data", str(falls)))
    assert "rules of their own" in refusal(invoke("check", "nyc", "--data", str(sur)))
    assert "There is no study area 'oz'. There are: connecticut, detroit, nyc, sur." in refusal(
        invoke("check", "oz", "--data", str(sur))
    )


def test_a_city_with_a_service_is_fetched_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HTRISK_STUDY_AREAS", str(tmp_path))
    text = (FOLDER / "detroit.toml").read_text()
    first, rest = text.split("[services.places_of_interest]")
    with running_layer() as layer:
        layer.insert(7, "2024-03-09T12:00")
        address = re.compile(r'url = "https://services2.*RMS_Crime_Incidents/FeatureServer/0"')
        # Without the layer of licences.
        rest = rest[rest.index("# Liquor stores") :]
        (tmp_path / "detroit.toml").write_text(address.sub(f'url = "{layer.url}"', first) + rest)
        result = CliRunner().invoke(
            app,
            ["fetch", "--area", "detroit", "--start", "2024-03-01", "--end", "2024-03-31",
             "--to", str(tmp_path / "pulls")],
        )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "RMS_Crime_Incidents-0: 1 rows" in result.stdout
    (path,) = (tmp_path / "pulls" / "incident_reports").rglob("*.json.gz")
    assert path.parent.name == "RMS_Crime_Incidents-0-2024-03"
