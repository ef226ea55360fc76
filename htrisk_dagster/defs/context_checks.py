"""Asset checks of context and of its relation with the target; all block.

Belongs here: which rule watches which of these assets, and what it is given. Does not: the rules
(`grid/context_findings.py`, `evaluation/relation_findings.py`).
"""

from collections.abc import Iterator

import dagster as dg

from htrisk_dagster.defs.assets.context import relates_places
from htrisk_dagster.defs.table_checks import table_checks
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import context, context_sources, grid
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.study_areas.area import StudyArea


def build(area: StudyArea) -> list[dg.AssetChecksDefinition]:
    """Asset checks of one study area."""
    return [
        table_checks(
            area,
            context.CELLS,
            ("values_are_dated", "residents_are_kept", "counts_are_kept", "rates_are_means"),
            _cells,
        ),
        table_checks(
            area,
            context.CONTEXT_RELATION,
            (
                "effects_stand_with_intervals",
                "sentences_are_careful",
                "every_variable_is_related",
            ),
            _relation,
        ),
        *(_place_checks(area) if relates_places(area) else ()),
    ]


def _place_checks(area: StudyArea) -> list[dg.AssetChecksDefinition]:
    return [
        table_checks(
            area,
            context.PLACE_RELATION,
            ("effects_stand_with_intervals", "sentences_are_careful", "every_category_is_related"),
            _place_relation,
        ),
        table_checks(area, context.PLACE_CROSS_K, ("curves_stand_with_envelopes",), _cross_k),
    ]


def _cells(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.grid import context_findings as rules

    store = workspace.tables(area.name)
    cells, areas = (store.read(t) for t in (context.CELLS, context.AREAS))
    shared = store.read(context.CELL_NEIGHBOURHOODS)
    lots = store.read(context_sources.TAX_LOTS)
    # A study area that declares no census brings no residents to its cells.
    lots = lots if area.context.census else lots.clear()
    yield "values_are_dated", rules.values_are_dated(cells, store.read(grid.CELLS).height)
    yield "residents_are_kept", rules.residents_are_kept(cells, lots)
    yield "counts_are_kept", rules.counts_are_kept(cells, areas, shared)
    yield "rates_are_means", rules.rates_are_means(cells, areas)


def _relation(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import relation_findings as rules

    store = workspace.tables(area.name)
    relation = store.read(context.CONTEXT_RELATION)
    variables = store.read(context.CELLS)["variable"].unique()
    yield "effects_stand_with_intervals", rules.effects_stand_with_intervals(relation)
    yield "sentences_are_careful", rules.sentences_are_careful(relation)
    yield "every_variable_is_related", rules.every_variable_is_related(relation, variables)


def _place_relation(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import relation_findings as rules

    relation = workspace.tables(area.name).read(context.PLACE_RELATION)
    part = area.context.places
    assert part is not None, "an area without places has no such check"
    yield "effects_stand_with_intervals", rules.place_effects_stand_with_intervals(relation)
    yield "sentences_are_careful", rules.sentences_are_careful(relation, name="category")
    yield "every_category_is_related", rules.every_category_is_related(relation, part.categories)


def _cross_k(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import relation_findings as rules

    store = workspace.tables(area.name)
    curves, relation = (store.read(t) for t in context.PLACE_TABLES[::-1])
    yield "curves_stand_with_envelopes", rules.curves_stand_with_envelopes(curves, relation)
