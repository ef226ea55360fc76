"""`python -m htrisk_dagster.cli`: the same as `htrisk`."""

from __future__ import annotations

from htrisk_dagster.cli import app

if __name__ == "__main__":
    app()
