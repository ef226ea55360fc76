"""Step retries: what may pass is tried again after a while, everything else fails at once.

https://docs.dagster.io/guides/build/ops/op-retries

Belongs here: which errors may pass, how often and after how long a step is tried again. Does not: the
retries of one question to a site (`sources/json_site.py`), which come first and take a minute; runs
that crashed, which Dagster starts again (`dagster.yaml`).

Dagster's `RetryPolicy` tries any error again. A file that is broken stays broken, and a day that a
check refused must not be asked for until it passes: here the error decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from htrisk_dagster.errors import HtriskError, UnreachableError

MAX_RETRIES = 3
FIRST_WAIT_S = 20.0
"""Seconds before the second attempt; each further wait is twice as long."""
# Locks and networks that others speak of: SQLite, DuckDB, MLflow's client by way of requests.
_PASSING_WORDS = (
    "database is locked",
    "Could not set lock on file",
    "Max retries exceeded with url",
    "Connection refused",
)
_PASSING_ERRORS = (UnreachableError, ConnectionError, TimeoutError, BlockingIOError)


def may_pass(error: BaseException) -> bool:
    """Whether an error, or one that it comes from, is of a network or a lock."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, _PASSING_ERRORS):
            return True
        if isinstance(found, HtriskError):
            return False  # a sentence of ours that names no passing fault
        if any(words in str(found) for words in _PASSING_WORDS):
            return True
        found = found.__cause__ or found.__context__
    return False


@contextmanager
def passing_faults_retried(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Ask Dagster to run the step again later where the block fails by a fault that may pass.

    Raises
    ------
    dagster.RetryRequested
        In place of an error that may pass. After `MAX_RETRIES` the step fails with that error.
    """
    try:
        yield
    except Exception as error:
        if not may_pass(error):
            raise
        wait = FIRST_WAIT_S * 2**context.retry_number
        if context.retry_number < MAX_RETRIES:
            context.log.info(f"This may pass, and is tried again in {wait:.0f} s.")
        raise dg.RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=wait) from error
