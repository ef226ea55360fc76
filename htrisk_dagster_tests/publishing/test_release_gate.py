"""The gate by examples, then by random sequences of actions against a model of the rules."""

from __future__ import annotations

import random
import shutil
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.audit_log import AuditLog, verify
from htrisk_dagster.publishing.dossier import REQUIRED
from htrisk_dagster.publishing.release_gate import ReleaseGate
from htrisk_dagster.publishing.release_states import publications
from htrisk_dagster.publishing.reviewers import Reviewers
from htrisk_dagster_tests.publishing.release_people import (
    DAY,
    NOON,
    PEOPLE,
    REASON,
    dossier,
    signer,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

REVIEW_DAYS, PUBLICATION_DAYS = 14, 30
SUBJECT = ("nyc", "shootings", DAY)


def make_gate(folder):
    return ReleaseGate(AuditLog(folder / "nyc.jsonl"), PEOPLE, REVIEW_DAYS, PUBLICATION_DAYS)


@pytest.fixture
def gate(tmp_path):
    return make_gate(tmp_path)


def approve(gate, *names, of=None, at=NOON):
    for name in names:
        gate.review(of or dossier(), signer(name), is_approved=True, reason=REASON, at=at)


def publish(gate, by="anna", of=None, at=NOON):
    return gate.publish(
        of or dossier(), signer(by), reason=REASON, at=at, files={"map.html": "0" * 64}
    )


def withdraw(gate, by="anna", at=NOON):
    return gate.withdraw(SUBJECT, signer(by), reason=REASON, at=at)


def test_from_draft_to_withdrawn(gate):
    def state():
        return gate.state(dossier(), NOON)

    assert state().state == "draft"
    approve(gate, "anna")
    assert state().state == "draft"
    approve(gate, "ben")
    assert state().state == "reviewed"
    assert [r.by for r in state().approvals] == ["anna", "ben"]
    entry = publish(gate, by="dan")
    assert (state().state, state().is_in_force) == ("published", True)
    assert entry.record.files == {"map.html": "0" * 64}
    withdraw(gate, by="dan")
    assert (state().state, state().is_in_force) == ("withdrawn", False)
    assert verify(gate.log.read(), PEOPLE) == []


def test_one_reviewer_twice_is_not_two(gate):
    approve(gate, "anna", "anna")
    with pytest.raises(ReleaseError, match=r"needs valid reviews of 2 different .* that of anna"):
        publish(gate)


def test_one_rejection_stands_until_its_reviewer_takes_it_back(gate):
    approve(gate, "anna", "ben")
    gate.review(
        dossier(), signer("chloe"), is_approved=False, reason="The harbour is a cell.", at=NOON
    )
    with pytest.raises(ReleaseError, match=r"rejected\. chloe: The harbour is a cell"):
        publish(gate)
    approve(gate, "chloe")
    publish(gate)


def test_reviews_expire(gate):
    approve(gate, "anna", "ben")
    late = NOON + timedelta(days=REVIEW_DAYS)
    assert gate.state(dossier(), late - timedelta(seconds=1)).state == "reviewed"
    with pytest.raises(ReleaseError, match="that of nobody"):
        publish(gate, at=late)


def test_publications_expire(gate):
    approve(gate, "anna", "ben")
    publish(gate)
    late = NOON + timedelta(days=PUBLICATION_DAYS)
    assert gate.state(dossier(), late - timedelta(seconds=1)).is_in_force
    found = gate.state(dossier(), late)
    assert (found.state, found.is_in_force) == ("published", False)


def test_reviews_of_another_dossier_count_for_nothing(gate):
    approve(gate, "anna", "ben")
    with pytest.raises(ReleaseError, match="that of nobody"):
        publish(gate, of=dossier(version=2))


@pytest.mark.parametrize("name", REQUIRED)
def test_without_any_one_document_nothing_is_reviewed_or_published(gate, name):
    lacking = dossier(without=[name])
    with pytest.raises(ReleaseError, match=f"There is no {name}"):
        approve(gate, "anna", of=lacking)
    with pytest.raises(ReleaseError, match=f"There is no {name}"):
        publish(gate, of=lacking)
    assert not gate.log.path.exists() or gate.log.path.read_bytes() == b""


def test_expired_documents_and_other_problems_are_refused(gate):
    with pytest.raises(ReleaseError, match="holds to 2024-04-04 only; the map is for 2024-04-05"):
        approve(gate, "anna", of=dossier(last_on=date(2024, 4, 4)))
    odd = replace(dossier(), problems=("The canary was found.",))
    with pytest.raises(ReleaseError, match="The canary was found"):
        publish(gate, of=odd)


def test_a_second_map_of_a_day_waits_for_the_first_to_go(gate):
    approve(gate, "anna", "ben")
    publish(gate)
    second = dossier(version=2)
    approve(gate, "anna", "ben", of=second)
    with pytest.raises(ReleaseError, match="Withdraw it first"):
        publish(gate, of=second)
    withdraw(gate)
    publish(gate, of=second)
    assert [r.dossier for r in publications(gate.read().records)] == [second.digest]


def test_a_withdrawn_dossier_never_comes_back(gate):
    approve(gate, "anna", "ben")
    publish(gate)
    withdraw(gate)
    with pytest.raises(ReleaseError, match="is withdrawn"):
        approve(gate, "chloe")
    with pytest.raises(ReleaseError, match="is withdrawn already"):
        publish(gate)
    with pytest.raises(ReleaseError, match="only a published one can be withdrawn"):
        withdraw(gate)


def test_roles_keys_and_names_are_asked_for(gate):
    with pytest.raises(ReleaseError, match="'dan' has not the role reviewer"):
        approve(gate, "dan")
    with pytest.raises(ReleaseError, match="'ben' has not the role publisher"):
        publish(gate, by="ben")
    with pytest.raises(ReleaseError, match="'eve' is not in the file of reviewers"):
        approve(gate, "eve")
    with pytest.raises(ReleaseError, match="not that of 'ben'"):
        gate.review(dossier(), signer("ben", key="anna"), is_approved=True, reason=REASON, at=NOON)


def test_a_service_signs_for_whom_it_knows(gate):
    for name in ("anna", "ben"):
        page = signer(name, service="page")
        gate.review(dossier(), page, is_approved=True, reason=REASON, at=NOON)
    publish(gate)
    assert [e.signed_by for e in gate.log.read().entries] == ["page", "page", "anna"]


def test_who_has_left_is_still_signed_but_does_not_count(gate):
    approve(gate, "anna", "ben")
    left = Reviewers(
        {**PEOPLE.people, "ben": replace(PEOPLE.people["ben"], roles=())}, PEOPLE.services
    )
    with pytest.raises(ReleaseError, match="that of anna"):
        publish(replace(gate, reviewers=left))


def test_a_clock_that_went_back_is_refused(gate):
    approve(gate, "anna")
    with pytest.raises(ReleaseError, match="Set the clock"):
        approve(gate, "ben", at=NOON - timedelta(minutes=5))


def test_a_reason_is_asked_for(gate):
    with pytest.raises(ReleaseError, match="A reason needs"):
        gate.review(dossier(), signer("anna"), is_approved=True, reason="ok", at=NOON)


class Releases(RuleBasedStateMachine):
    """Any sequence of actions: what is out had two valid reviews and every document, or nothing is."""

    names = st.sampled_from([*PEOPLE.people, "eve"])
    versions = st.integers(1, 2)

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.gate = make_gate(self.folder)
        self.now = NOON
        self.missing: frozenset[str] = frozenset()
        self.words: dict[tuple[int, str], tuple[bool, object]] = {}
        self.out: int | None = None
        self.out_until = NOON
        self.gone: set[int] = set()
        self.is_tampered = False

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def current(self, version: int):
        return dossier(version=version, without=self.missing)

    def attempt(self, is_legal: bool, action) -> None:
        before = self.gate.log.path.read_bytes() if self.gate.log.path.exists() else b""
        if is_legal and not self.is_tampered:
            action()
            return
        with pytest.raises(ReleaseError):
            action()
        after = self.gate.log.path.read_bytes() if self.gate.log.path.exists() else b""
        assert after == before

    @rule(
        name=names,
        version=versions,
        is_approved=st.booleans(),
        key=st.sampled_from(["own", "anna"]),
    )
    def review(self, name, version, is_approved, key) -> None:
        person = PEOPLE.people.get(name)
        is_legal = (
            person is not None
            and "reviewer" in person.roles
            and (key == "own" or name == "anna")
            and not self.missing
            and version not in (self.out, *self.gone)
        )
        by = signer(name, key=None if key == "own" else key)
        self.attempt(
            is_legal,
            lambda: self.gate.review(
                self.current(version), by, is_approved=is_approved, reason=REASON, at=self.now
            ),
        )
        if is_legal and not self.is_tampered:
            until = self.now + timedelta(days=REVIEW_DAYS) if is_approved else None
            self.words[version, name] = (is_approved, until)

    @rule(name=names, version=versions)
    def publish(self, name, version) -> None:
        person = PEOPLE.people.get(name)
        words = {n: w for (v, n), w in self.words.items() if v == version}
        valid = [n for n, (good, until) in words.items() if good and self.now < until]
        is_legal = (
            person is not None
            and "publisher" in person.roles
            and not self.missing
            and version not in (self.out, *self.gone)
            and (self.out is None or self.now >= self.out_until)
            and len(valid) >= 2
            and all(good for good, _ in words.values())
        )
        self.attempt(
            is_legal,
            lambda: self.gate.publish(
                self.current(version), signer(name), reason=REASON, at=self.now, files={}
            ),
        )
        if is_legal and not self.is_tampered:
            if self.out is not None:
                self.gone.add(self.out)
            self.out, self.out_until = version, self.now + timedelta(days=PUBLICATION_DAYS)

    @rule(name=names)
    def withdraw(self, name) -> None:
        person = PEOPLE.people.get(name)
        is_legal = person is not None and "publisher" in person.roles and self.out is not None
        self.attempt(
            is_legal,
            lambda: self.gate.withdraw(SUBJECT, signer(name), reason=REASON, at=self.now),
        )
        if is_legal and not self.is_tampered:
            self.gone.add(self.out)
            self.out = None

    @rule(days=st.integers(1, 20))
    def wait(self, days) -> None:
        self.now += timedelta(days=days)

    @rule(names=st.frozensets(st.sampled_from(REQUIRED), max_size=1))
    def lose_a_document_or_find_it(self, names) -> None:
        self.missing = names

    @precondition(lambda self: self.gate.log.path.exists() and self.gate.log.path.stat().st_size)
    @rule(seed=st.integers(0, 2**32))
    def crash_while_writing(self, seed) -> None:
        """Half a line more; not after tampering, which it could hide."""
        if not self.is_tampered:
            content = self.gate.log.path.read_bytes()
            torn = content[: random.Random(seed).randrange(1, content.index(b"\n"))]
            self.gate.log.path.write_bytes(content + torn)

    @precondition(lambda self: not self.is_tampered and len(self.gate.log.read().entries) > 1)
    @rule(seed=st.integers(0, 2**32))
    def tamper(self, seed) -> None:
        """Change a byte, or remove or repeat a line that is not the last."""
        chance = random.Random(seed)
        path = self.gate.log.path
        lines = path.read_bytes().split(b"\n")[:-1]
        at = chance.randrange(len(lines) - 1)
        kind = chance.choice(["byte", "drop", "repeat"])
        if kind == "byte":
            line = bytearray(lines[at])
            line[chance.randrange(len(line))] ^= 1 << chance.randrange(3)
            lines[at] = bytes(line)
        elif kind == "drop":
            del lines[at]
        else:
            lines.insert(at, lines[at])
        path.write_bytes(b"\n".join(lines) + b"\n")
        self.is_tampered = True

    @invariant()
    def what_is_out_is_what_the_rules_let_out(self) -> None:
        if self.is_tampered:
            assert verify(self.gate.log.read(), PEOPLE)
            with pytest.raises(ReleaseError, match="cannot be trusted"):
                self.gate.read()
            return
        out = publications(self.gate.read().records)
        expected = [] if self.out is None else [dossier(version=self.out).digest]
        assert [r.dossier for r in out][-1:] == expected


Releases.TestCase.settings = settings(max_examples=40, stateful_step_count=25, derandomize=True)
TestReleases = Releases.TestCase
