"""Staging and marts: canonical tables by dbt, checked against the dictionary before they count.

Belongs here: the dbt assets of a study area. Does not: SQL (`dbt/models`), the grid.
"""

from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject, dbt_assets

from htrisk_dagster.defs import dbt_project
from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.raw_tables import raw_table_names
from htrisk_dagster.defs.retries import passing_faults_retried
from htrisk_dagster.defs.staged import publish_staged
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import marts, raw, staging
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.catalog import FILE_NAME

_TABLES = {t.name: t for t in (*staging.TABLES, *marts.TABLES)}


class StudyAreaTranslator(DagsterDbtTranslator):
    """Names dbt's models `<area>/<layer>/<table>`, and its sources as our raw assets."""

    def __init__(self, area: StudyArea) -> None:
        super().__init__()
        self.area = area
        present = raw_table_names(area)
        self._absent = {
            dg.AssetKey([area.name, raw.LAYER, table.name])
            for table in raw.TABLES
            if table.name not in present
        }

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Key of a model or a source."""
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey([self.area.name, raw.LAYER, dbt_resource_props["name"]])
        layer = dbt_resource_props["fqn"][1]
        return dg.AssetKey([self.area.name, layer, dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """One group a study area and layer."""
        return f"{self.area.name}_{dbt_resource_props['fqn'][1]}"

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        """A model or a source; a model leans on those raw tables alone that the area has."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        known = [d for d in spec.deps if d.asset_key not in self._absent]
        return spec.replace_attributes(deps=known)

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """Columns, grain and warnings from the dictionary."""
        table = _TABLES.get(dbt_resource_props["name"])
        return table_metadata(table) if table else {}


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Staging and mart assets of one study area."""

    @dbt_assets(
        manifest=dbt_project.manifest(),
        name=f"{area.name}_dbt",
        dagster_dbt_translator=StudyAreaTranslator(area),
        pool="htrisk_dbt",  # two at once would write into one folder
    )
    def staged(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[Any]:
        """Build and test every model beside the warehouse, then move all of them into it."""
        profile = dbt_project.write_profile(workspace.dbt_folder(area.name), area.name)
        workspace.build_catalog(profile / FILE_NAME)
        events, error = _built(context, area, profile)
        # Test results are told in any case; a model counts only when the warehouse has it.
        yield from (e for e in events if isinstance(e, dg.AssetCheckResult))
        if error:
            # dbt opens the catalog too, which an analyst's shell may have locked.
            with passing_faults_retried(context):
                raise error
        publish_staged(workspace, area, profile / "external")
        yield from (e for e in events if not isinstance(e, dg.AssetCheckResult))

    return [staged]


def _built(
    context: dg.AssetExecutionContext, area: StudyArea, profile: Path
) -> tuple[list[Any], Exception | None]:
    """What dbt tells of models and tests, and the error that it ended with."""
    dbt = DbtCliResource(
        project_dir=str(dbt_project.FOLDER),
        profiles_dir=str(profile),
        target=area.name,
        dbt_executable=str(dbt_project.dbt_executable()),
    )
    invocation = dbt.cli(
        ["build"], context=context, raise_on_error=False, target_path=profile / "target"
    )
    with redirect_stdout(StringIO()) as said:
        events = list(invocation.stream())
    context.log.debug(said.getvalue())
    return events, invocation.get_error()
