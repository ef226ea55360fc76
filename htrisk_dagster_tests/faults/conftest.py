"""The city of the graph's own tests, run once for the whole session."""

from htrisk_dagster_tests.defs.conftest import city, city_copy

__all__ = ["city", "city_copy"]
