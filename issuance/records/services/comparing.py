"""What a walk found that compares rows with their sealed events."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """How many rows were compared, and what does not agree: one line each, with ids and without a name."""

    checked: int
    wrong: tuple[str, ...]
