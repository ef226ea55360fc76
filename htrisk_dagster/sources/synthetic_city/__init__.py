"""A seeded New York in the publishers' own file layouts, with a known true intensity.

Belongs here: everything that invents the embedded default city. Does not: reading such files
(the other modules of `sources`), which must not know that a city was invented. Only tests and
evaluation may open what is written under `truth/`.
"""

from htrisk_dagster.sources.synthetic_city.city import write_city
from htrisk_dagster.sources.synthetic_city.presets import PRESETS, Preset
from htrisk_dagster.sources.synthetic_city.target_truth import TargetTruth
from htrisk_dagster.sources.synthetic_city.world import World, simulate_world

__all__ = ["PRESETS", "Preset", "TargetTruth", "World", "simulate_world", "write_city"]
