from __future__ import annotations

from datetime import date
from pathlib import Path

from htrisk_dagster_tests.sources.published_files import read, write_file

HEADER = "Map Day,Cell Id,Reviewer Role,Decision,Decided On,Reviewer Name"


def test_only_the_columns_of_the_dictionary_are_read(tmp_path: Path):
    rows = ["03/04/2023,17,analyst,outreach,03/05/2023,CANARY",
            "2023-03-06,0,supervisor,none,2023-03-06,CANARY"]  # fmt: skip
    write_file(tmp_path / "r.csv", HEADER, *rows)
    kept = read("review_decisions", tmp_path).kept
    columns = ("risk_on", "cell_id", "reviewer_role", "decision", "decided_on")
    assert kept.select(columns).rows() == [
        (date(2023, 3, 4), 17, "analyst", "outreach", date(2023, 3, 5)),
        (date(2023, 3, 6), 0, "supervisor", "none", date(2023, 3, 6)),
    ]
    assert "CANARY" not in kept.write_csv()


def test_a_refused_row_shows_its_rule_and_no_value(tmp_path: Path):
    rows = ["CANARY,1,analyst,none,03/05/2023,n", "03/04/2023,-1,analyst,none,03/05/2023,n",
            "03/04/2023,1,,none,03/05/2023,n", "03/04/2023,1,analyst,,03/05/2023,n",
            "03/04/2023,1,analyst,none,CANARY,n"]  # fmt: skip
    write_file(tmp_path / "r.csv", HEADER, *rows)
    refused = read("review_decisions", tmp_path).quarantined
    assert refused["rule"].to_list() == [
        "map_date_unreadable", "cell_unreadable", "role_missing", "decision_missing",
        "decision_date_unreadable",
    ]  # fmt: skip
    assert refused["value"].null_count() == 5


def test_without_a_file_there_is_no_row(tmp_path: Path):
    assert read("review_decisions", tmp_path).kept.is_empty()
