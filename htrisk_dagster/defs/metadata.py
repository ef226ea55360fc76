"""Metadata that assets show in the UI.

https://docs.dagster.io/guides/build/assets/metadata-and-tags

Belongs here: our tables in Dagster's terms. Does not: figures of one materialisation (the asset
returns them).
"""

from __future__ import annotations

import dagster as dg

from htrisk_dagster.schemas.table import Table


def table_metadata(table: Table) -> dict[str, object]:
    """Column schema, grain, key and warnings of `table`."""
    columns = [
        dg.TableColumn(
            name=c.name,
            type=str(c.dtype),
            description=f"{c.description}{f' Unit: {c.unit}.' if c.unit else ''}",
            constraints=dg.TableColumnConstraints(nullable=c.nullable),
        )
        for c in table.columns
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "grain": table.grain,
        "key": ", ".join(table.key) or "none",
        "warnings": dg.MetadataValue.md("\n".join(f"- {w}" for w in table.warnings) or "none"),
    }
