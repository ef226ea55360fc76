"""A folder is used as it is; of a bucket a unit has copies, and what it wrote comes back whole."""

from __future__ import annotations

import uuid
from pathlib import Path

import fsspec
import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.scale.shared_storage import SharedStorage


@pytest.fixture
def bucket() -> SharedStorage:
    """Objects in memory: fsspec's own, no folder anywhere."""
    storage = SharedStorage(f"memory://{uuid.uuid4()}/root")
    filesystem = fsspec.filesystem("memory")
    root = storage.url.removeprefix("memory:/")
    filesystem.pipe_file(f"{root}/a/one.txt", b"1")
    filesystem.pipe_file(f"{root}/a/deep/two.txt", b"2")
    filesystem.pipe_file(f"{root}/b/three.txt", b"3")
    return storage


def objects(storage: SharedStorage) -> dict[str, bytes]:
    filesystem = fsspec.filesystem("memory")
    root = storage.url.removeprefix("memory:/")
    return {p[len(root) + 1 :]: filesystem.cat_file(p) for p in filesystem.find(root)}


def test_a_folder_is_the_root_itself(tmp_path: Path) -> None:
    for url in (str(tmp_path), f"file://{tmp_path}"):
        with SharedStorage(url).opened(["anything"]) as root:
            assert root == tmp_path


def test_a_unit_has_what_it_asked_for_and_no_more(bucket: SharedStorage) -> None:
    with bucket.opened(["a", "absent", "b/three.txt"]) as root:
        found = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*.txt")}

    assert found == {"a/one.txt": b"1", "a/deep/two.txt": b"2", "b/three.txt": b"3"}


def test_what_was_written_is_uploaded_and_what_was_read_is_not(bucket: SharedStorage) -> None:
    before = objects(bucket)
    with bucket.opened(["a"]) as root:
        (root / "a" / "new.txt").write_bytes(b"new")
        beside = root / "a" / ".one.txt.tmp"
        beside.write_bytes(b"9")  # the same size, and replaced as a partition is
        beside.replace(root / "a" / "one.txt")

    assert objects(bucket) == {**before, "a/new.txt": b"new", "a/one.txt": b"9"}


def test_a_unit_that_fails_leaves_nothing(bucket: SharedStorage) -> None:
    before = objects(bucket)
    with pytest.raises(RuntimeError), bucket.opened(["a"]) as root:
        (root / "a" / "half.txt").write_bytes(b"half")
        raise RuntimeError

    assert objects(bucket) == before


def test_deleting_what_is_not_there_is_no_error(bucket: SharedStorage, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    SharedStorage(str(tmp_path)).delete(["x", "y"])
    bucket.delete(["a/one.txt", "a/none.txt"])

    assert not (tmp_path / "x").exists()
    assert "a/one.txt" not in objects(bucket)
    assert "a/deep/two.txt" in objects(bucket)


def test_all_below_a_prefix_goes(bucket: SharedStorage, tmp_path: Path) -> None:
    (tmp_path / "x" / "deep").mkdir(parents=True)
    for storage in (bucket, SharedStorage(str(tmp_path))):
        for prefix in ("a", "x", "none"):
            storage.delete_below(prefix)

    assert set(objects(bucket)) == {"b/three.txt"}
    assert not (tmp_path / "x").exists()


def test_an_address_that_cannot_be_opened_is_refused_with_a_sentence() -> None:
    with (
        pytest.raises(SettingError, match="Give a folder that all machines mount"),
        SharedStorage("nowhere://bucket").opened([]),
    ):
        pass
