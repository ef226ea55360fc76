from __future__ import annotations

import pytest
from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.reviewers import (
    NOBODY,
    read_reviewers,
    reviewer_of,
)
from htrisk_dagster_tests.publishing.release_people import PEOPLE

ANNA = PEOPLE.people["anna"].public_key
BEN = PEOPLE.people["ben"].public_key


def written(tmp_path, text):
    path = tmp_path / "reviewers.toml"
    path.write_text(text)
    return path


def test_people_roles_and_services_are_read(tmp_path):
    found = read_reviewers(
        written(
            tmp_path,
            f'[reviewers.anna]\npublic_key = "{ANNA}"\n[reviewers.ben]\npublic_key = "{BEN}"\n'
            f'roles = []\n[services.page]\npublic_key = "{PEOPLE.services["page"]}"\n',
        )
    )
    assert found.people["anna"].roles == ("reviewer", "publisher")
    assert found.key_for("anna", "anna") == ANNA
    assert found.key_for("anna", "page") == PEOPLE.services["page"]
    assert found.key_for("anna", "ben") is None, "nobody signs for another"
    assert found.key_for("page", "page") is None, "a service is no person"
    with pytest.raises(ReleaseError, match="'ben' has not the role reviewer, but none"):
        found.with_role("ben", "reviewer")
    with pytest.raises(ReleaseError, match="'eve' is not in the file of reviewers"):
        found.with_role("eve", "reviewer")
    assert read_reviewers(None) == NOBODY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[reviewers.anna]\n", "reviewers.anna has no public key"),
        ('[reviewers.anna]\npublic_key = "abc"\n', "reviewers.anna has no public key"),
        (
            f'[reviewers.anna]\npublic_key = "{ANNA}"\n[reviewers.ann]\npublic_key = "{ANNA}"\n',
            "reviewers.ann has the public key of reviewers.anna",
        ),
        (f'[reviewers.anna]\npublic_key = "{ANNA}"\nroles = ["boss"]\n', "needs roles of"),
        (f'[reviewers.anna]\npublic_key = "{ANNA}"\nmail = "a@b"\n', "may have public_key, roles"),
        ("[people]\n", "'people' is no table of it"),
        ("= 1", "is no legal TOML"),
        (
            f'[reviewers.anna]\npublic_key = "{ANNA}"\n[services.anna]\npublic_key = "{BEN}"\n',
            "'anna' is a reviewer and a service",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_a_sentence(tmp_path, text, said):
    with pytest.raises(ReleaseError, match=said):
        read_reviewers(written(tmp_path, text))


def test_a_file_that_is_absent_is_named(tmp_path):
    with pytest.raises(ReleaseError, match="is absent"):
        read_reviewers(tmp_path / "none.toml")


def who(headers, peer="127.0.0.1", header="X-Forwarded-User", role="reviewer"):
    found = reviewer_of(headers, peer, identity_header=header, reviewers=PEOPLE, role=role)
    return found.name if found else None


def test_a_proxy_on_this_machine_names_the_reviewer():
    assert who({"x-forwarded-user": "ben"}) == "ben"
    assert who({"X-Forwarded-User": " ben "}, peer="::1") == "ben"


def test_nobody_is_known_without_the_setting_or_from_elsewhere():
    named = {"X-Forwarded-User": "ben"}
    assert who(named, header=None) is None
    for peer in ("10.0.0.7", "203.0.113.9", "localhost", ""):
        assert who(named, peer=peer) is None
    assert who(named, header="Remote-User") is None


def test_who_has_not_the_role_or_is_named_twice_is_nobody():
    assert who({"X-Forwarded-User": "dan"}) is None
    assert who({"X-Forwarded-User": "dan"}, role="publisher") == "dan"
    assert who({"X-Forwarded-User": "ben,anna"}) is None
    assert who({"X-Forwarded-User": "ben", "x-forwarded-user": "anna"}) is None
    assert who({"X-Forwarded-User": "eve"}) is None
