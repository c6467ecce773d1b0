"""Settings that name the folder of the test process that loaded the tests get that of a process forked from it."""

from pathlib import Path
from typing import Any


def moved(value: Any, old: str, new: str) -> Any:
    """The value with one folder in place of another in texts and paths. Changes lists and dictionaries in place."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, Path):
        return Path(str(value).replace(old, new))
    if isinstance(value, dict):
        for key, each in value.items():
            value[key] = moved(each, old, new)
    elif isinstance(value, list):
        value[:] = [moved(each, old, new) for each in value]
    elif isinstance(value, tuple) and type(value) is tuple:
        return tuple(moved(each, old, new) for each in value)
    return value


def move_settings(old: Path, new: Path) -> None:
    """Lets Django's settings name the new folder. Celery reads them at its first use."""
    from django.conf import settings

    from siths_portal import settings as module

    for name in [name for name in dir(settings) if name.isupper()]:
        value = getattr(settings, name)
        if (now := moved(value, str(old), str(new))) is not value and now != value:
            setattr(settings, name, now)
            setattr(module, name, now)
