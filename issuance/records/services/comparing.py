"""The result of comparing rows with their sealed events."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """The number of compared rows, and one line for each mismatch, with ids but without names."""

    checked: int
    wrong: tuple[str, ...]
