"""The YAML of a ceremony, for `ceremony_nodes`."""

from collections.abc import Hashable
from typing import Any

import yaml
from yaml import YAMLError

__all__ = ["Twice", "YAMLError", "values"]


class Twice(Exception):
    """Keys stand twice in a mapping; the text is the keys."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which a reader would see one and the program take the other."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping's values."""
        keys = [key.value for key, _value in node.value]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise Twice(", ".join(twice))
        return super().construct_mapping(node, deep=deep)


def values(text: str) -> Any:
    """The document's values. Raises Twice, YAMLError, ValueError for a day that no month has, RecursionError."""
    return yaml.load(text, _Loader)  # noqa: S506  (a SafeLoader)
