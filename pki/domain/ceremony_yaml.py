"""The YAML of a ceremony, for `ceremony_nodes`."""

from collections.abc import Hashable
from typing import Any

import yaml
from yaml import YAMLError

__all__ = ["Twice", "YAMLError", "values"]


class Twice(Exception):
    """A mapping has duplicate keys; the text is the keys."""


class _Loader(yaml.SafeLoader):
    """Refuses duplicate keys, of which a reviewer might read one and the program use the other."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Returns a mapping's values."""
        keys = [key.value for key, _value in node.value]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise Twice(", ".join(twice))
        return super().construct_mapping(node, deep=deep)


def values(text: str) -> Any:
    """Parses the document. Raises Twice, YAMLError, ValueError for an impossible date, RecursionError."""
    return yaml.load(text, _Loader)  # noqa: S506  (a SafeLoader)
