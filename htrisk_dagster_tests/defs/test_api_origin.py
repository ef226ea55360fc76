"""The live origin through the graph: fetched from a server of our own, read, and kept by month."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from htrisk_dagster.definitions import build_definitions
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import raw
from htrisk_dagster.settings import load_settings
from htrisk_dagster.sources import live
from htrisk_dagster.sources.nyc_open_data import DatedDataSet
from htrisk_dagster_tests.sources.misbehaving_socrata import (
    DATASET,
    Site,
    cuts_mid_body,
    refuses,
    running_site,
)

OFFENCE = {
    "cmplnt_fr_tm": "13:00:00", "ky_cd": "105", "pd_cd": "386", "ofns_desc": "ROBBERY",
    "law_cat_cd": "FELONY", "boro_nm": "QUEENS", "addr_pct_cd": "110", "crm_atpt_cptd_cd": "COMPLETED",
    "latitude": "40.745", "longitude": "-73.865", "vic_sex": "F", "susp_race": "UNKNOWN",
}  # fmt: skip


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    complaints = DatedDataSet("Complaints", "https://nowhere.invalid", DATASET, "rpt_dt")
    monkeypatch.setitem(live.DATED, "complaints", (complaints,))
    with running_site() as running:
        for number, day in enumerate(("2024-03-02", "2024-03-31", "2024-04-05", "2024-06-01")):
            running.insert(number, day, cmplnt_fr_dt=f"{day}T00:00:00.000", **OFFENCE)
        yield running


def test_complaints_are_fetched_read_and_kept_by_month(site: Site, tmp_path: Path):
    settings = load_settings(origin="api", home=tmp_path, open_data_url=site.url)
    site.script.extend([refuses(503), cuts_mid_body])
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(["nyc", "raw", "complaints"])],
            tags={
                "dagster/asset_partition_range_start": "2024-03-01",
                "dagster/asset_partition_range_end": "2024-05-01",
            },
        )
    assert result.success
    store = Workspace(settings).tables("nyc")
    assert store.keys(raw.COMPLAINTS) == ["2024-03-01", "2024-04-01", "2024-05-01"]
    rows = {key: store.read(raw.COMPLAINTS, [key]) for key in store.keys(raw.COMPLAINTS)}
    assert [r.height for r in rows.values()] == [2, 1, 0]
    assert str(rows["2024-04-01"]["reported_on"][0]) == "2024-04-05"
    # The year-to-date file has not been asked for June, and nothing of a person is kept anywhere.
    pulls = b"".join(p.read_bytes() for p in (tmp_path / "api" / "pulls").rglob("*.json.gz"))
    assert pulls and not any(c.startswith(("vic", "susp")) for c in rows["2024-03-01"].columns)


def test_the_mornings_job_reads_both_months_that_its_schedule_asks_for(
    site: Site, tmp_path: Path
) -> None:
    settings = load_settings(origin="api", home=tmp_path, open_data_url=site.url)
    definitions = build_definitions(settings, ["nyc"])
    repository = definitions.get_repository_def()
    at = datetime(2024, 4, 6, 8, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance, repository_def=repository, scheduled_execution_time=at
        )
        (request,) = (
            repository.get_schedule_def("nyc_reports_daily").evaluate_tick(context).run_requests
        )
        result = definitions.resolve_job_def("nyc_refresh_reports").execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(["nyc", "raw", "complaints"])],
            tags=request.tags,
        )
    assert result.success
    store = Workspace(settings).tables("nyc")
    assert store.keys(raw.COMPLAINTS) == ["2024-03-01", "2024-04-01"]
    assert store.read(raw.COMPLAINTS).height == 3
