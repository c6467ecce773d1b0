"""The committed descriptions of the APIs as tests read them: each file once a process, by the parser in C."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def description_in(file: Path) -> dict[str, Any]:
    """Returns the content of an OpenAPI file. All callers get the same object. Copy it before you change it."""
    return dict(yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))  # both are safe
