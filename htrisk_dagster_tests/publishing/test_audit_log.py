from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.audit_log import GENESIS, AuditLog, verify
from htrisk_dagster.publishing.review_records import ReviewRecord, canonical
from htrisk_dagster_tests.publishing.release_people import (
    DAY,
    NOON,
    PEOPLE,
    REASON,
    dossier,
    key_of,
)


def record(by="anna", minutes=0):
    return ReviewRecord(
        action="approve",
        area="nyc",
        target="shootings",
        risk_on=DAY,
        dossier=dossier().digest,
        by=by,
        reason=REASON,
        at=NOON + timedelta(minutes=minutes),
        expires_at=NOON + timedelta(days=14),
        files={},
    )


@pytest.fixture
def log(tmp_path):
    """Three lines by three people."""
    found = AuditLog(tmp_path / "releases" / "nyc.jsonl")
    for minutes, name in enumerate(("anna", "ben", "chloe")):
        found.append(lambda _, n=name, m=minutes: record(n, m), signed_by=name, key=key_of(name))
    return found


def problems(log, **more):
    return verify(log.read(), PEOPLE, **more)


def test_a_log_that_is_not_there_is_empty(tmp_path):
    found = AuditLog(tmp_path / "nyc.jsonl").read()
    assert (found.entries, found.head, found.problems) == ((), GENESIS, ())


def test_each_line_holds_the_digest_of_the_one_before(log):
    """Worked out here from the bytes, not by the module."""
    lines = log.path.read_bytes().splitlines()
    previous = "0" * 64
    for number, line in enumerate(lines, start=1):
        content = json.loads(line)
        assert (content["number"], content["previous"]) == (number, previous)
        previous = hashlib.sha256(line).hexdigest()
    assert log.read().head == previous
    assert [e.record for e in log.read().entries] == [
        record(n, m) for m, n in enumerate(("anna", "ben", "chloe"))
    ]
    assert problems(log) == []


def test_every_single_changed_byte_is_seen(log):
    content = log.path.read_bytes()
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1
        log.path.write_bytes(changed)
        found = log.read()
        assert verify(found, PEOPLE) or found.torn, place
    log.path.write_bytes(content)
    assert problems(log) == []


@pytest.mark.parametrize(
    "order", [(1, 2), (0, 2), (0, 2, 1), (1, 0, 2), (0, 1, 1, 2), (0, 0, 1, 2)]
)
def test_lines_removed_moved_or_repeated_are_seen(log, order):
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[i] for i in order))
    assert any("does not follow" in p for p in problems(log))


def test_lines_cut_off_are_seen_by_who_kept_the_head(log):
    head = log.read().head
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[:2]))
    assert problems(log) == []
    assert any("cut off or replaced" in p for p in problems(log, head=head))


def test_a_head_of_before_is_in_the_chain_that_went_on(log):
    first = log.read().entries[0].digest
    assert problems(log, head=first) == []
    assert problems(log, head=GENESIS) == []


def forged(log, by, key):
    """A line as the program writes it, with a key that is not the reviewer's."""
    return log.append(lambda _: record(by, 9), signed_by=by, key=key_of(key))


def test_a_line_signed_with_another_key_is_seen(log):
    forged(log, "ben", "anna")
    assert problems(log) == ["Line 4: the signature is not that of 'ben'."]


def test_a_line_of_somebody_unknown_is_seen(log):
    forged(log, "eve", "eve")
    assert any("'eve', signed by 'eve', is not in the file" in p for p in problems(log))


def test_a_service_signs_for_a_reviewer_but_no_reviewer_for_another(log):
    log.append(lambda _: record("ben", 5), signed_by="page", key=key_of("page"))
    assert problems(log) == []
    log.append(lambda _: record("ben", 6), signed_by="anna", key=key_of("anna"))
    assert any("Line 5: 'ben', signed by 'anna'" in p for p in problems(log))


def test_a_line_older_than_the_one_before_is_seen(log):
    log.append(lambda _: record("anna", 1), signed_by="anna", key=key_of("anna"))
    assert problems(log) == ["Line 4: it is older than the line before it."]


def test_a_torn_last_line_is_set_aside_and_the_log_goes_on(log):
    content = log.path.read_bytes()
    for length in (1, 40, len(content) // 4):
        log.path.write_bytes(content + content[:length])
        found = log.read()
        assert found.torn == content[:length]
        assert (len(found.entries), verify(found, PEOPLE)) == (3, [])
    log.append(lambda _: record("anna", 8), signed_by="anna", key=key_of("anna"))
    assert len(log.read().entries) == 4
    assert problems(log) == []
    (aside,) = log.path.parent.glob("nyc.jsonl.torn-*")
    assert aside.read_bytes() == content[: len(content) // 4]
    assert log.path.read_bytes().startswith(content)


def test_nothing_is_added_to_a_broken_log(log):
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(lines[0] + lines[2])
    before = log.path.read_bytes()
    with pytest.raises(ReleaseError, match=r"cannot be added to\. Line 2 does not follow"):
        log.append(lambda _: record(), signed_by="anna", key=key_of("anna"))
    assert log.path.read_bytes() == before


def test_what_is_refused_leaves_no_trace(log):
    before = log.path.read_bytes()

    def refuse(_):
        raise ReleaseError("No.")

    with pytest.raises(ReleaseError):
        log.append(refuse, signed_by="anna", key=key_of("anna"))
    assert log.path.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        {"action": "applaud"},
        {"reason": "ok"},
        {"dossier": "short"},
        {"expires_at": None},
        {"expires_at": NOON - timedelta(days=1)},
        {"action": "withdraw"},
    ],
)
def test_a_record_that_is_not_well_formed_is_seen(log, change):
    log.append(lambda _: replace(record(minutes=9), **change), signed_by="anna", key=key_of("anna"))
    assert any(p.startswith("Line 4: ") for p in problems(log))


def test_records_come_back_from_json_or_are_refused():
    one = record()
    assert ReviewRecord.from_json(json.loads(canonical(one.as_json()))) == one
    with pytest.raises(ValueError, match="missing or unknown: mood"):
        ReviewRecord.from_json({**one.as_json(), "mood": "good"})
    with pytest.raises(ValueError, match="no instant in UTC"):
        ReviewRecord.from_json({**one.as_json(), "at": "2024-04-04T12:00:00"})
    with pytest.raises(ValueError, match="another kind: reason"):
        ReviewRecord.from_json({**one.as_json(), "reason": 3})
