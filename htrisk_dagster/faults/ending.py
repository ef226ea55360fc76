"""How one named fault ended: what was done, what came of it, and whether that is good.

Belongs here: `Ending`. Does not: faults.
"""

from __future__ import annotations

from dataclasses import dataclass

SENTENCE, CAUGHT_UP, AS_EVER = "one clear sentence", "caught up", "as on any other day"
SKIPPED, FAILED = "not tried here", "failed"
GOOD_ENDS = (SENTENCE, CAUGHT_UP, AS_EVER)


@dataclass(frozen=True)
class Ending:
    """What came of one fault.

    Parameters
    ----------
    fault : str
        Its name.
    done : str
        What was done.
    came : str
        What came of it: the sentence, or what was compared with what.
    end : str
        One of `GOOD_ENDS`, `SKIPPED` or `FAILED`.
    """

    fault: str
    done: str
    came: str
    end: str


def judged(fault: str, done: str, came: str, wrong: list[str], end: str) -> Ending:
    """Ending of a fault: `end`, or failed where anything is `wrong`."""
    return (
        Ending(fault, done, "; ".join(wrong), FAILED) if wrong else Ending(fault, done, came, end)
    )


def is_sentence(text: str) -> bool:
    """Whether a text is a line that ends as a sentence does."""
    return "\n" not in text and text.endswith(".") and "Errno" not in text
