"""Countries as CTDC writes them, to ISO 3166-1 alpha-2.

Belongs here: codes of two and three letters and names, resolved by pycountry. Does not: what a
missing country means (`recode`).
"""

from __future__ import annotations

import polars as pl

# English names in common use that ISO 3166 does not list.
OTHER_NAMES = {
    "bosnia & herzegovina": "BA", "brunei": "BN", "burma": "MM", "cape verde": "CV",
    "congo (brazzaville)": "CG", "congo (kinshasa)": "CD", "cote d'ivoire": "CI",
    "democratic republic of the congo": "CD", "east timor": "TL", "great britain": "GB",
    "ivory coast": "CI", "macedonia": "MK", "palestine": "PS", "republic of korea": "KR",
    "russia": "RU", "swaziland": "SZ", "the gambia": "GM", "trinidad & tobago": "TT",
    "turkey": "TR", "uk": "GB",
}  # fmt: skip


def alpha_2(text: str) -> str | None:
    """Alpha-2 code of a code or name; None where ISO 3166-1 assigns none (ZZ, XK, EN)."""
    import pycountry

    if text.lower() in OTHER_NAMES:
        return OTHER_NAMES[text.lower()]
    try:
        return str(pycountry.countries.lookup(text).alpha_2)
    except LookupError:
        return None


def has_two_letter_codes(values: pl.Series) -> bool:
    """Whether a column is written in alpha-2: some value other than NA has two letters."""
    texts = values.drop_nulls().str.strip_chars().str.to_uppercase()
    return bool((texts.str.contains(r"^[A-Z]{2}$") & ~texts.is_in(["NA", "UK"])).any())
