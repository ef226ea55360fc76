from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.form_tokens import FormTokens
from itsdangerous import URLSafeTimedSerializer

SECRET = "s" * 32


def test_a_token_is_of_one_person_and_one_server():
    tokens = FormTokens(SECRET)
    assert not tokens.spend(tokens.issue("anna"), "ben")
    assert not FormTokens("t" * 32).spend(tokens.issue("anna"), "anna")
    assert not FormTokens().spend(FormTokens().issue("anna"), "anna"), "each process has a secret"
    assert tokens.spend(tokens.issue("anna"), "anna")


def test_a_token_is_of_one_use_even_at_once():
    tokens = FormTokens(SECRET)
    token, other = tokens.issue("anna"), tokens.issue("anna")
    assert token != other
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: tokens.spend(token, "anna"), range(64))) == 1
    assert tokens.spend(other, "anna")


def test_a_token_ends():
    assert not FormTokens(SECRET, valid_s=-1).spend(FormTokens(SECRET).issue("anna"), "anna")


def test_what_is_no_token_is_refused():
    tokens = FormTokens(SECRET)
    signed = URLSafeTimedSerializer(SECRET, salt="htrisk-review-page").dumps("anna")
    elsewhere = URLSafeTimedSerializer(SECRET, salt="login").dumps(["anna", "1"])
    for token in (
        "",
        "x",
        tokens.issue("anna") + "x",
        tokens.issue("anna")[:-1],
        signed,
        elsewhere,
    ):
        assert not tokens.spend(token, "anna")


def test_a_short_secret_is_refused():
    with pytest.raises(ReleaseError, match="32 characters"):
        FormTokens("short")
