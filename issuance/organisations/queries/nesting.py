"""Nests rows of the organisation tree, each below its nearest ancestor among them."""

from collections.abc import Iterable
from typing import Protocol, Self

from issuance.organisations.queries.places import paths_above


class Nested(Protocol):
    """A node of a tree."""

    children: list[Self]


def nested[N: Nested](rows: Iterable[tuple[str, N]]) -> list[N]:
    """Returns the topmost of `rows` (scope path and node), with the others nested below them. Siblings keep their order."""
    found: dict[str, N] = {}
    tops: list[N] = []
    for scope_path, node in sorted(rows, key=lambda row: row[0].count("/")):  # a stable sort keeps the order on each level
        found[scope_path] = node
        above = next((found[path] for path in reversed(paths_above(scope_path)) if path in found), None)
        (above.children if above else tops).append(node)
    return tops
