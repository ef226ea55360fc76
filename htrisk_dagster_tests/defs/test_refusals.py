"""What does not count though it lies there: by blocking checks alone, until they hold."""

from __future__ import annotations

import dagster as dg
from htrisk_dagster.defs.partitions import DAYS_SEEN
from htrisk_dagster.defs.refusals import Refusals

KEY = dg.AssetKey(["nyc", "raw", "complaints"])
OTHER = dg.AssetKey(["nyc", "raw", "shootings"])
HOLDS = {"strict": True, "mild": True}


@dg.asset(key=KEY)
def complaints() -> None:
    """Nothing."""


@dg.asset(key=OTHER)
def shootings() -> None:
    """Nothing, and no check."""


def check(name: str, *, blocking: bool, days: str | None) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=KEY, name=name, blocking=blocking)
    def found() -> dg.AssetCheckResult:
        metadata = {} if days is None else {DAYS_SEEN: days}
        return dg.AssetCheckResult(passed=HOLDS[name], metadata=metadata)

    return found


def refusals_of(days: str | None) -> tuple[dg.DagsterInstance, dg.Definitions]:
    checks = [check("strict", blocking=True, days=days), check("mild", blocking=False, days=days)]
    return dg.DagsterInstance.ephemeral(), dg.Definitions(
        [complaints, shootings], asset_checks=checks
    )


def run(instance: dg.DagsterInstance, definitions: dg.Definitions, **holds: bool) -> None:
    HOLDS.update({"strict": True, "mild": True} | holds)
    job = definitions.resolve_implicit_global_asset_job_def()
    job.execute_in_process(instance=instance, raise_on_error=False)


def test_a_blocking_check_refuses_until_it_holds_and_a_mild_one_never() -> None:
    instance, definitions = refusals_of(None)
    found = Refusals(definitions, instance)
    run(instance, definitions, mild=False)
    assert found.of(KEY) == frozenset()

    run(instance, definitions, strict=False)
    assert found.of(KEY) == frozenset(), "one look serves until something has run"
    found.forget()
    assert (found.of(KEY), found.of(OTHER)) == ({"all"}, frozenset())

    run(instance, definitions)
    found.forget()
    assert found.of(KEY) == frozenset()


def test_of_days_those_count_again_that_were_seen_to_hold() -> None:
    instance, whole = refusals_of("2024-04-01 to 2024-04-03")
    run(instance, whole, strict=False)
    assert Refusals(whole, instance).of(KEY) == {"2024-04-01", "2024-04-02", "2024-04-03"}

    mended = [check("strict", blocking=True, days="2024-04-02 to 2024-04-02")]
    run(instance, dg.Definitions([complaints, shootings], asset_checks=mended))
    assert Refusals(whole, instance).of(KEY) == {"2024-04-01", "2024-04-03"}
