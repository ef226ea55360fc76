from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date

import pytest
from htrisk_dagster.publishing.dossier import REQUIRED, Document, last_day_of_documents
from htrisk_dagster_tests.publishing.release_people import DAY, dossier


def test_the_digest_is_of_what_the_map_is_of_and_of_every_document():
    whole = dossier()
    lines = ["nyc/shootings/2024-04-05"]
    lines += [f"{name} {whole.documents[name].sha256}" for name in sorted(REQUIRED)]
    assert whole.digest == hashlib.sha256("\n".join(lines).encode()).hexdigest()


@pytest.mark.parametrize("name", REQUIRED)
def test_any_change_of_a_document_makes_another_dossier(name):
    whole = dossier()
    changed = {**whole.documents, name: Document(name, "f" * 64, date(2024, 6, 30))}
    assert replace(whole, documents=changed).digest != whole.digest
    assert dossier(without=[name]).digest != whole.digest


def test_another_area_target_or_day_is_another_dossier():
    whole = dossier()
    others = {
        replace(whole, area="detroit").digest,
        replace(whole, target="robbery").digest,
        replace(whole, risk_on=date(2024, 4, 6)).digest,
    }
    assert len(others | {whole.digest}) == 4


def test_a_whole_dossier_lacks_nothing_and_an_empty_one_everything():
    assert dossier().lacks() == []
    assert dossier(last_on=DAY).lacks() == [], "it holds on its last day"
    assert len(dossier(without=REQUIRED).lacks()) == len(REQUIRED)


def test_documents_of_a_month_speak_of_a_quarter():
    assert last_day_of_documents(date(2024, 1, 1)) == date(2024, 4, 1)
    assert last_day_of_documents(date(2023, 1, 1)) == date(2023, 4, 2)
