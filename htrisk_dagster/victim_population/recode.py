"""Cleaning by rule: a CTDC release to `schemas.victim_population.RECORDS`, every recode counted.

Belongs here: what a published value means. Does not: files and headers (`ctdc_files`), any rate.

Each column has one rule, a function of the published text. It is asked once for each distinct
value, so what it answered can be listed beside how many records it was answered for. The rules:

* **unknown is never "no"**: blank, -99, Unknown, Missing and Not Specified become null;
* **a "no" beside "not specified" is unknown**: where a record says that its recruiter is unknown,
  or its kind of labour or means of control not specified, the publisher still writes 0 for each
  recruiter or kind (31,093 records of the 2018 release say friend 0, recruiter unknown);
* **age**: the band's middle, (9 + 17) / 2 = 13 for "9--17". The open "48+" is taken to be as wide as
  the bands before it (nine years, 48 to 56): 52;
* **duration**: the leading digits, 13 months for "13--24 (1-2 yrs)": the shortest the band allows;
* **countries**: ISO 3166-1 alpha-2 by pycountry, from codes of two or three letters and from names.
  Codes that the standard does not assign (ZZ, XK, EN) are null, and counted as unresolved. "NA" is
  Namibia among two-letter codes and missing among any others;
* **a group of means** has a column of its own in the later releases: its "no" is a no to each part,
  its "yes" a yes to the group and to no part that could be named. Where a release tells the parts
  instead, the group is yes where any part is, no where all are no, and else unknown;
* anything that no rule knows is an error, for a silent null would be a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from htrisk_dagster.errors import SourceError
from htrisk_dagster.schemas.table import Column
from htrisk_dagster.schemas.victim_population import GROUPED, INDICATORS, RECODE_COUNTS, RECORDS
from htrisk_dagster.victim_population import countries, grouped_means
from htrisk_dagster.victim_population.ctdc_files import CtdcFile, published_name

Value = str | int | float | bool | None
Outcome = tuple[Value, str]  # the value and the name of the rule, one of RECODE_RULES
Rule = Callable[[str], Outcome]

UNKNOWN_WORDS = frozenset(
    {
        "", "-99", "-99.0", "unknown", "missing", "not specified", "not known", "not available",
        "n/a", "na", "nan", "null", "none", "(null)", ".",
    }
)  # fmt: skip
_SHOWN = 80  # characters of a value in a sentence
OPEN_BAND_WIDTH_YEARS = 9  # of 48+, as of 30--38 and 39--47 before it

_COUNTRIES = ("citizenship", "country_of_exploitation")
_LABELS = {
    "data_source": {"case management": "case_management", "hotline": "hotline"},
    "gender": {
        "female": "female", "woman": "female", "male": "male", "man": "male",
        "other": "other", "transgender": "other", "trans/transgender/nonconforming": "other",
        "nonconforming": "other", "non-conforming": "other",
    },
    "majority_status": {"adult": "adult", "minor": "minor"},
    "majority_status_at_exploit": {"adult": "adult", "minor": "minor"},
}  # fmt: skip
_LONGEST_COUNTRY = 100  # characters
_COUNTRY = r"[^\W\d_][^\W\d_ .,'’&()\-]*(?:[ .,'’&()\-]+[^\W\d_]*)*"
_MONTHS = r"(\d{1,3})(?:\s*-+\s*(\d{1,3})|\s*\+)?(?:\s*\([\w +\-]{1,30}\))?"
_ANSWERS = {"1": True, "1.0": True, "yes": True, "true": True,
            "0": False, "0.0": False, "no": False, "false": False}  # fmt: skip
# Where this one is yes, a "no" to an indicator of the family is not known.
_TAKEN_BACK = " = 1)"  # ends the text of such a "no" in the table of recodes
_UNSPECIFIED = {
    "means": "meansOfControlNotSpecified",
    "typeOfLabour": "typeOfLabourNotSpecified",
    "recruiterRelation": "recruiterRelationUnknown",
}


@dataclass(frozen=True)
class Cleaned:
    """A release after cleaning.

    Parameters
    ----------
    records : DataFrame
        In the shape of `RECORDS`, in the file's order.
    recodes : DataFrame
        In the shape of `RECODE_COUNTS`.
    notes : tuple of str
        What a reader must know of this release, a sentence each.
    """

    records: pl.DataFrame
    recodes: pl.DataFrame
    notes: tuple[str, ...]


def clean(file: CtdcFile) -> Cleaned:
    """Clean a release by rule.

    Raises
    ------
    SourceError
        Where a value has no rule; the message names file, column, value and how often it occurs.
    TableError
        Where a value lies outside the bounds of its column, such as a year 1018.
    """
    columns: dict[str, pl.Series] = {}
    recodes = []
    for column in RECORDS.columns:  # the groups come after their parts
        if file.parts_of(column.source_name):
            before = grouped_means.said_by_parts(columns, column.name).alias("value_before")
        else:
            before = _published_values(file, column)
        counts = before.value_counts(name="records_count").sort(before.name, nulls_last=True)
        outcomes = _outcomes(file, column, counts.to_series(0))
        columns[column.name] = _recoded(before, counts.to_series(0), outcomes, column)
        recodes.append(_counted(file, column, counts, outcomes))
    recode_counts = RECODE_COUNTS.conform(pl.concat(recodes))
    return Cleaned(
        RECORDS.conform(pl.DataFrame(columns)), recode_counts, _notes(file, recode_counts)
    )


def _file_column(file: CtdcFile, column: Column) -> str | None:
    name = published_name(column)
    direct = file.columns.get(name) or file.groups.get(name)
    return direct or ", ".join(file.parts_of(column.source_name)) or None


def _published_values(file: CtdcFile, column: Column) -> pl.Series:
    """Values as text; a "no" that `_UNSPECIFIED` takes back says so in brackets."""
    name = _file_column(file, column)
    if name is None:
        return pl.repeat(None, file.rows.height, dtype=pl.String, eager=True).alias("value_before")
    value = pl.col(name).str.strip_chars()
    flag = file.columns.get(_unspecified_flag(column.source_name) or "")
    if flag is not None:
        is_taken_back = _says(flag, True) & _says(name, False)
        value = pl.when(is_taken_back).then(value + f" ({flag}{_TAKEN_BACK}").otherwise(value)
    return file.rows.select(value.alias("value_before")).to_series()


def _unspecified_flag(indicator: str) -> str | None:
    for family, flag in _UNSPECIFIED.items():
        if indicator.startswith(family) and indicator != flag:
            return flag
    return None


def _says(column: str, answer: bool) -> pl.Expr:
    words = [word for word, meaning in _ANSWERS.items() if meaning is answer]
    return pl.col(column).str.strip_chars().str.to_lowercase().is_in(words).fill_null(False)


def _outcomes(file: CtdcFile, column: Column, values: pl.Series) -> list[Outcome]:
    if _file_column(file, column) is None:
        return [(None, "not_in_file")] * len(values)
    rule = _rule(file, column)
    unknown_words = UNKNOWN_WORDS
    if column.name in _COUNTRIES and countries.has_two_letter_codes(values):
        # Among two-letter codes NA is Namibia, and no mark of a missing value.
        unknown_words -= {"na"}
    outcomes: list[Outcome] = []
    for value in values:
        try:
            is_unknown = value is None or value.lower() in unknown_words
            outcomes.append((None, "unknown") if is_unknown else rule(value))
        except ValueError as error:
            raise SourceError(
                f"{file.path}: column '{_file_column(file, column)}' has {value[:_SHOWN]!r}, for which "
                f"there is no rule ({error}). Correct the file, or add the value to the rules."
            ) from error
    return outcomes


def _rule(file: CtdcFile, column: Column) -> Rule:
    if column.source_name in file.groups:
        return _group_answer
    if file.parts_of(column.source_name):
        return lambda said: (grouped_means.ANSWER_OF_PARTS[said], "from_parts")
    if column.source_name in (*INDICATORS, *GROUPED):
        return _answer
    if column.name in _COUNTRIES:
        return _country
    if column.name in _LABELS:
        labels = _LABELS[column.name]
        return lambda text: _label(text, labels)
    return {
        "year_of_registration": lambda text: _year(text, file.last_year),
        "age_band": _age_band,
        "age_midpoint_years": _age_midpoint,
        "trafficked_months_band": _months_band,
        "trafficked_months": _months,
    }[column.name]


def _recoded(
    before: pl.Series, distinct: pl.Series, outcomes: list[Outcome], column: Column
) -> pl.Series:
    after = pl.Series([value for value, _ in outcomes], dtype=column.dtype)
    known = distinct.is_not_null()
    return before.replace_strict(
        distinct.filter(known), after.filter(known), default=None, return_dtype=column.dtype
    )


def _counted(
    file: CtdcFile, column: Column, counts: pl.DataFrame, outcomes: list[Outcome]
) -> pl.DataFrame:
    return counts.select(
        pl.lit(column.name).alias("column"),
        pl.lit(_file_column(file, column), dtype=pl.String).alias("source_column"),
        pl.col("value_before"),
        pl.Series("value_after", [_as_text(value) for value, _ in outcomes], dtype=pl.String),
        pl.Series("rule", [rule for _, rule in outcomes], dtype=pl.String),
        pl.col("records_count").cast(pl.Int64),
    )


def _as_text(value: Value) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _answer(text: str) -> Outcome:
    if text.endswith(_TAKEN_BACK):
        return None, "unknown"
    if text.lower() not in _ANSWERS:
        raise ValueError("an indicator is 1 or 0")
    return _ANSWERS[text.lower()], "value"


def _group_answer(text: str) -> Outcome:
    value, rule = _answer(text)
    return (None, "part_unknown") if value else (value, rule)


def _country(text: str) -> Outcome:
    if len(text) > _LONGEST_COUNTRY or not re.fullmatch(_COUNTRY, text):
        raise ValueError("a country is a code or a name of letters")
    code = countries.alpha_2(text)
    return (None, "unresolved") if code is None else (code, "value")


def _label(text: str, labels: dict[str, str]) -> Outcome:
    if text.lower() not in labels:
        raise ValueError(f"known are {', '.join(labels)}")
    return labels[text.lower()], "value"


def _year(text: str, last: int) -> Outcome:
    if not re.fullmatch(r"\d{4}(\.0)?", text):
        raise ValueError("a year has four digits")
    if int(text[:4]) > last:
        raise ValueError(f"the file itself is of {last}")
    return int(text[:4]), "value"


def _age_limits(text: str) -> tuple[int, int | None]:
    """Return the first and last year of a band; None where it is open."""
    if match := re.fullmatch(r"(\d{1,2})\s*-+\s*(\d{1,2})", text):
        if int(match[1]) > int(match[2]):
            raise ValueError("the end of the band lies before its beginning")
        return int(match[1]), int(match[2])
    if match := re.fullmatch(r"(\d{1,2})\s*\+", text):
        return int(match[1]), None
    raise ValueError("a band is written 9--17 or 48+")


def _age_band(text: str) -> Outcome:
    first, last = _age_limits(text)
    return (f"{first}+" if last is None else f"{first}--{last}"), "value"


def _age_midpoint(text: str) -> Outcome:
    first, last = _age_limits(text)
    return (first + (first + OPEN_BAND_WIDTH_YEARS - 1 if last is None else last)) / 2, "value"


def _first_months(text: str) -> int:
    """First month of a band, after a look at the whole of it."""
    match = re.fullmatch(_MONTHS, text)
    if match is None:
        raise ValueError("a duration is written 0--12 (0-1 yr) or 25+")
    if match[2] and int(match[1]) > int(match[2]):
        raise ValueError("the end of the band lies before its beginning")
    return int(match[1])


def _months(text: str) -> Outcome:
    return _first_months(text), "value"


def _months_band(text: str) -> Outcome:
    _first_months(text)
    return text, "value"


def _notes(file: CtdcFile, recodes: pl.DataFrame) -> tuple[str, ...]:
    notes = []
    unresolved = recodes.filter(pl.col("rule") == "unresolved")
    for column, part in unresolved.group_by("source_column", maintain_order=True):
        values = ", ".join(part["value_before"].to_list())
        notes.append(
            f"{file.path.name}, {column[0]}: {part['records_count'].sum()} records name no ISO "
            f"country ({values}) and are unknown."
        )
    parts = recodes.filter(pl.col("rule") == "part_unknown").unique(
        ["source_column", "value_before"], maintain_order=True
    )
    notes += [
        f"{file.path.name}, {column}: {records} records say yes to a group of means without saying "
        f"to which of them: yes for the group, and each of its parts is unknown there."
        for column, records in parts.select("source_column", "records_count").iter_rows()
    ]
    absent = recodes.filter(pl.col("rule") == "not_in_file")["column"].to_list()
    if absent:
        notes.append(f"{file.path.name} has no column for {', '.join(absent)}: unknown throughout.")
    if file.unread:
        notes.append(f"{file.path.name}: columns not read: {', '.join(file.unread)}.")
    return tuple(notes)
