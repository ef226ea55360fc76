"""`Finding`: the outcome of one rule about data.

Belongs here: the shape in which every rule answers. Does not: any rule, nor what a failure stops.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """Outcome of one rule.

    Parameters
    ----------
    holds : bool
        Whether the rule holds.
    sentence : str
        What was found, in words.
    figures : dict of str to float
        Numbers worth following over time.
    """

    holds: bool
    sentence: str
    figures: dict[str, float] = field(default_factory=dict)
