"""A feature layer on loopback that answers every query with the bytes it was given.

Belongs here: that, and the layer's description and count, which stay good. Does not: an honest layer
with every misbehaviour of a server (the tests of `sources/arcgis` have that).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from htrisk_dagster.faults.small_site import on_loopback

_PATH = "/arcgis/rest/services/Small/FeatureServer/0"
_AFTER = re.compile(r"ESRI_OID > (\d+)$")


@dataclass(frozen=True)
class SmallLayer:
    """What the layer says.

    Parameters
    ----------
    answer : bytes
        Body of the answer to a query for rows.
    fields : tuple of str
        Fields beside the one that numbers rows.
    n_rows : int
        Rows that it counts.
    is_points : bool
        Whether a row's place is in its geometry.
    """

    answer: bytes
    fields: tuple[str, ...]
    n_rows: int
    is_points: bool = False

    def body(self, query: dict[str, str]) -> bytes:
        """Answer to one question."""
        if "where" not in query:
            fields = [{"name": "ESRI_OID", "type": "esriFieldTypeOID"}]
            fields += [{"name": name, "type": "esriFieldTypeString"} for name in self.fields]
            kind = {"geometryType": "esriGeometryPoint"} if self.is_points else {}
            return json.dumps({"fields": fields, "maxRecordCount": 2000, **kind}).encode()
        if query.get("returnCountOnly") == "true":
            return json.dumps({"count": self.n_rows}).encode()
        # Whoever asks for rows after one that it got has seen the only page.
        return b'{"features": []}' if _AFTER.search(query["where"]) else self.answer


@contextmanager
def serving_layer(site: SmallLayer) -> Iterator[str]:
    """Serve on a free port of loopback until the block ends; give the layer's address."""
    with on_loopback(lambda _, query: site.body(query)) as url:
        yield f"{url}{_PATH}"
