"""Rows of the tree of organisations, each under the nearest one above it that is there too."""

from collections.abc import Iterable, Iterator
from typing import Protocol, Self


class Nested(Protocol):
    """What stands in a tree, with what lies below it."""

    children: list[Self]


def nested[N: Nested](rows: Iterable[tuple[str, N]]) -> list[N]:
    """The topmost of `rows` (scope path and what stands for it), with the others below them in the order in which they come."""
    found: dict[str, N] = {}
    tops: list[N] = []
    for scope_path, node in sorted(rows, key=lambda row: row[0].count("/")):  # stable: on each level as they came
        found[scope_path] = node
        above = next((found[path] for path in upwards(scope_path) if path in found), None)
        (above.children if above else tops).append(node)
    return tops


def upwards(scope_path: str) -> Iterator[str]:
    """The scope paths above one, the nearest first."""
    parts = scope_path.strip("/").split("/")[:-1]
    while parts:
        yield f"/{'/'.join(parts)}/"
        parts = parts[:-1]
