"""Rows of the tree of organisations, each under the nearest one above it that is there too."""

from collections.abc import Iterable
from typing import Protocol, Self

from issuance.organisations.queries.places import paths_above


class Nested(Protocol):
    """What stands in a tree, with what lies below it."""

    children: list[Self]


def nested[N: Nested](rows: Iterable[tuple[str, N]]) -> list[N]:
    """The topmost of `rows` (scope path and what stands for it), with the others below them in the order in which they come."""
    found: dict[str, N] = {}
    tops: list[N] = []
    for scope_path, node in sorted(rows, key=lambda row: row[0].count("/")):  # stable: on each level as they came
        found[scope_path] = node
        above = next((found[path] for path in reversed(paths_above(scope_path)) if path in found), None)
        (above.children if above else tops).append(node)
    return tops
