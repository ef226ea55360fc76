"""The errors a user can meet. Each message is a sentence: what, where, what to do.

Belongs here: exception types shared by every layer. Does not: handling, logging, exit codes (`cli`).
"""

from __future__ import annotations


class HtriskError(Exception):
    """Base of every error whose message is written for the user."""


class SettingError(HtriskError):
    """A setting is unknown, missing or out of range; the message names it."""


class SourceError(HtriskError):
    """A file or an API answer cannot be used as a whole; the message names the file and column."""


class TableError(HtriskError):
    """A table breaks its schema; the message names the table, the column and the first row."""


class MissingPartitionError(HtriskError):
    """A partition that a step needs has not been made; the message says which run makes it."""


class ReleaseError(HtriskError):
    """A release is refused or its log cannot be trusted; the message says why and what is needed."""
