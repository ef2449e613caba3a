"""What a stage tells of its progress; the command line shows it."""

from collections.abc import Callable
from typing import Protocol

Warn = Callable[[str], None]
"""Told of what a person should know and cannot act on now."""


class Report(Protocol):
    """Told of progress whenever something is finished."""

    def __call__(self, stage: str, done: int, total: int, tokens: int, failed: int = 0) -> None:
        """Say what is being made, how many of how many, tokens since the start, and failures."""
