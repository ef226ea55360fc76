"""What `htrisk area new` asks: answers from flags, else from the user, else an error that names the flag.

Belongs here: questions, and flags of several parts. Does not: the commands (`areas`), what answers lead to
(`sources/area_proposal/`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import available_timezones

import typer

from htrisk_dagster.errors import SettingError

if TYPE_CHECKING:
    from htrisk_dagster.sources.area_proposal.evidence import CityFile, Evidence


class Asking:
    """Answers to what no file tells: from flags, else from the user, else an error that names the flag."""

    def __init__(self, yes: bool) -> None:
        self.yes = yes

    def about_columns(self, file: CityFile, evidence: dict[str, Evidence]) -> dict[str, Evidence]:
        """What is proposed, changed as the user wishes."""
        from htrisk_dagster.sources.area_proposal.evidence import propose

        if self.yes:
            return evidence
        said: dict[str, str] = {}
        while True:
            answer = typer.prompt(
                "Change a column (ROLE=COLUMN, ROLE= for none), or go on", default=""
            )
            if not answer:
                return propose(file, said) if said else evidence
            kept = {role: e.column for role, e in evidence.items()}
            said = {**kept, **said, **pairs_of([answer])}

    def day_order(self, given: str | None, told: bool | None) -> bool:
        """Whether days come before months."""
        if given:
            return one_of("--dates", given, ("day-first", "month-first")) == "day-first"
        if told is not None:
            return told
        question = "Do days come before months, as in 31/12/2024?"
        self._require(
            "--dates day-first or --dates month-first", "No date of the file has a day over 12"
        )
        return typer.confirm(question)

    def time_zone(self, given: str | None, middle: tuple[float, float]) -> str:
        """IANA name, the one whose principal place is nearest where the user agrees."""
        from htrisk_dagster.sources.area_proposal.geography import nearest_zone

        if given:
            if given not in available_timezones():
                raise SettingError(
                    f"'{given}' is no time zone; give a name such as America/Detroit."
                )
            return given
        guess = nearest_zone(*middle).name
        if self.yes:
            raise SettingError(
                f"The time zone cannot be known for sure; the nearest one is {guess}. Say so: "
                f"--time-zone {guess}."
            )
        return str(typer.prompt("Time zone", default=guess))

    def country(self, given: str | None, zone: str) -> tuple[str, str | None]:
        """Country of holidays and part of it, those of the time zone by default."""
        from htrisk_dagster.sources.area_proposal.geography import country_of

        found = given or country_of(zone)
        if found is None:
            self._require("--country", f"The time zone {zone} is of no one country")
            found = str(typer.prompt("Country of holidays, ISO 3166"))
        code, _, part = found.partition("-")
        return code.upper(), part or None

    def _require(self, flag: str, why: str) -> None:
        if self.yes:
            raise SettingError(f"{why}. Give {flag}.")


def pairs_of(mapped: list[str]) -> dict[str, str]:
    """Role to column, of `ROLE=COLUMN`."""
    wrong = [text for text in mapped if "=" not in text]
    if wrong:
        raise SettingError(f"'{wrong[0]}' is no ROLE=COLUMN, such as occurred_at=Date.")
    return {role.strip(): column.strip() for role, _, column in (t.partition("=") for t in mapped)}


def one_of(flag: str, given: str, legal: tuple[str, ...]) -> str:
    """What was given, where it is legal."""
    if given not in legal:
        raise SettingError(f"{flag} {given} is none of {', '.join(legal)}.")
    return given


def centre_of(given: str | None) -> tuple[float, float] | None:
    """Longitude and latitude, of `LATITUDE,LONGITUDE`."""
    if given is None:
        return None
    try:
        lat, lon = (float(part) for part in given.split(","))
    except ValueError:
        message = f"--centre {given} is no LATITUDE,LONGITUDE such as -34.86,-56.17."
        raise SettingError(message) from None
    return lon, lat
