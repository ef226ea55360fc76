"""Units of work on S3: a server in this process, spoken to through s3fs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from htrisk_dagster.scale.execution import InProcess
from htrisk_dagster.scale.feature_work import FeatureRequest, store_features
from htrisk_dagster.scale.shared_storage import SharedStorage
from htrisk_dagster_tests.cluster.conftest import SmallCity

pytestmark = pytest.mark.cluster


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of an empty bucket; credentials are where s3fs looks for them, in the environment."""
    moto = pytest.importorskip("moto.server", reason="needs the extra htrisk-dagster[deploy]")
    s3fs = pytest.importorskip("s3fs", reason="needs the extra htrisk-dagster[cluster]")
    server = moto.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("htrisk-test")
    yield "s3://htrisk-test/warehouse"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_features_in_a_bucket_are_those_in_a_folder(
    small_city: SmallCity, bucket: str, tmp_path: Path
) -> None:
    import s3fs

    filesystem, root = s3fs.S3FileSystem(), bucket.removeprefix("s3://")
    for path in small_city.rows.rglob("*.parquet"):
        filesystem.pipe_file(f"{root}/{path.relative_to(small_city.rows)}", path.read_bytes())
    plan = small_city.plan
    first, last = date(2024, 2, 20), date(2024, 2, 29)
    folder = small_city.copy_rows(tmp_path / "shared")
    requests = [
        FeatureRequest(storage, plan.area, plan.settings, first, last)
        for storage in (folder, SharedStorage(bucket))
    ]

    store_features(InProcess(n_tiles=2, period_days=5), requests)

    stored = {
        p.relative_to(tmp_path / "shared").as_posix(): p.read_bytes()
        for p in (tmp_path / "shared" / "features").rglob("*.parquet")
    }
    assert len(stored) == 10
    filesystem.invalidate_cache()
    made = filesystem.find(f"{root}/features")
    assert {p[len(root) + 1 :]: filesystem.cat_file(p) for p in made} == stored
