"""The storage that all machines see: a folder, or the objects of a bucket, through fsspec.

Belongs here: how a unit of work finds its inputs as files, and how what it wrote gets back whole. Does
not: where a partition lies below the root (`warehouse`), credentials: a filesystem takes its own from the
environment of the machine, and none is ever part of a unit.

A folder (local, NFS, EFS, Lustre) is used as it is. Of a bucket a unit gets the objects it asks for in a
temporary folder, and what it wrote there is uploaded when it has ended well: an object appears whole or
not at all, as a renamed file does.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from htrisk_dagster.errors import SettingError


@dataclass(frozen=True)
class SharedStorage:
    """A root below which partitions and models lie.

    Parameters
    ----------
    url : str
        A folder's path, or an address of fsspec's, such as `s3://bucket/prefix`.
    """

    url: str

    @property
    def folder(self) -> Path | None:
        """The root as a folder of this machine's file system; None where it is none."""
        if "://" not in self.url:
            return Path(self.url)
        scheme, _, rest = self.url.partition("://")
        return Path(rest) if scheme == "file" else None

    @contextmanager
    def opened(self, prefixes: Iterable[str]) -> Iterator[Path]:
        """Give a folder that holds what lies below the prefixes; what is written below it is kept.

        Parameters
        ----------
        prefixes : iterable of str
            Folders or objects below the root, such as `grid/cells/area=nyc`; absent ones are absent.

        Raises
        ------
        SettingError
            Where the address names a filesystem that is not installed.
        """
        if self.folder is not None:
            yield self.folder
            return
        filesystem, root = self._filesystem()
        with tempfile.TemporaryDirectory(prefix="htrisk-unit-") as name:
            local = Path(name)
            for prefix in prefixes:
                _download(filesystem, f"{root}/{prefix}", local / prefix)
            before = _stamps(local)
            yield local
            changed = [p for p, stamp in _stamps(local).items() if before.get(p) != stamp]
            for path in sorted(changed):
                filesystem.pipe_file(f"{root}/{path.relative_to(local)}", path.read_bytes())

    def delete(self, keys: Iterable[str]) -> None:
        """Remove files or objects below the root; one that is absent stays so."""
        if self.folder is not None:
            for key in keys:
                (self.folder / key).unlink(missing_ok=True)
            return
        filesystem, root = self._filesystem()
        for key in keys:
            if filesystem.exists(f"{root}/{key}"):
                filesystem.rm_file(f"{root}/{key}")

    def delete_below(self, prefix: str) -> None:
        """Remove a folder, or all objects of a prefix; one that is absent stays so."""
        if self.folder is not None:
            shutil.rmtree(self.folder / prefix, ignore_errors=True)
            return
        filesystem, root = self._filesystem()
        if filesystem.exists(f"{root}/{prefix}"):
            filesystem.rm(f"{root}/{prefix}", recursive=True)

    def _filesystem(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        try:
            filesystem, root = url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise SettingError(
                f"The shared storage {self.url} cannot be opened ({error}). Give a folder that all machines "
                "mount, or install the extra htrisk-dagster[cluster] for s3://."
            ) from error
        # Another machine's objects may have come since a listing was last asked for.
        filesystem.invalidate_cache()
        return filesystem, root.rstrip("/")


def _download(filesystem: Any, source: str, target: Path) -> None:
    if not filesystem.exists(source):
        return
    for path in filesystem.find(source):
        inside = path[len(source) :].lstrip("/")
        to = target / inside if inside else target
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(filesystem.cat_file(path))


def _stamps(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Inode, time and size of every file; a partition that was replaced has another inode."""
    files = (p for p in folder.rglob("*") if p.is_file())
    stats = ((p, p.stat()) for p in files)
    return {p: (s.st_ino, s.st_mtime_ns, s.st_size) for p, s in stats}
