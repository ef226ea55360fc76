"""The folder of Dagster's run history: made, configured and named to Dagster.

Belongs here: `DAGSTER_HOME` and the `dagster.yaml` within. Does not: the data of a workspace.
"""

from __future__ import annotations

import os
from pathlib import Path

from htrisk_dagster.warehouse.partitions import write_text_whole

# Dagster stores the events of an asset's partitions one by one unless this says how many at once.
EVENTS_AT_ONCE = {"DAGSTER_EVENT_BATCH_SIZE": "1000"}


def prepare_dagster_home(dagster_home: Path) -> None:
    """Make the folder of Dagster's run history, with its `dagster.yaml`, if it is not there."""
    dagster_home.mkdir(parents=True, exist_ok=True)
    wanted = (Path(__file__).parent / "dagster.yaml").read_text()
    present = dagster_home / "dagster.yaml"
    if not present.is_file() or present.read_text() != wanted:
        write_text_whole(present, wanted)
    os.environ["DAGSTER_HOME"] = str(dagster_home)
    os.environ.update(EVENTS_AT_ONCE)
