"""Strict reader for the YAML of a ceremony: its errors give the place of a missing, unknown or wrong value, in Swedish."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

_DURATION = re.compile(r"(\d{1,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class CeremonyFileError(ValueError):
    """The file cannot be executed; the text is Swedish and gives the place."""


def load(text: str) -> Any:
    """Parses the document. Raises CeremonyFileError."""
    from pki.domain import ceremony_yaml  # imported here, because all processes load this module and few read a ceremony file

    try:
        return ceremony_yaml.values(text)
    except ceremony_yaml.Twice as error:
        raise CeremonyFileError(f"filen: {error} står två gånger i samma tabell") from None
    except (ceremony_yaml.YAMLError, ValueError, RecursionError):
        # Also covers an impossible date, and nesting that is too deep.
        raise CeremonyFileError("filen är inte YAML") from None


class Node:
    """A mapping of the document. Every reader raises CeremonyFileError; a default replaces a missing key."""

    def __init__(self, place: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise CeremonyFileError(f"{place}: ska vara en tabell")
        self._place = place
        self._value = value

    def __contains__(self, key: str) -> bool:
        return key in self._value

    def _get(self, key: str, default: Any = None) -> Any:
        value = self._value.get(key, default)
        if value is None:
            raise CeremonyFileError(f"{self._place}: {key} saknas")
        return value

    def fault(self, text: str) -> CeremonyFileError:
        """Returns an error at this place."""
        return CeremonyFileError(f"{self._place}: {text}")

    def text(self, key: str, default: str | None = None, *, longest: int = 10_000) -> str:
        """Returns text, which is empty only if that is the default."""
        value = self._get(key, default)
        if not isinstance(value, str) or (not value.strip() and value != default):
            raise self.fault(f"{key} ska vara text")
        if len(value) > longest:
            raise self.fault(f"{key} får ha högst {longest} tecken")
        return value

    def slug(self, key: str) -> str:
        """Returns a short name in lower case."""
        value = self.text(key)
        if not _SLUG.fullmatch(value) or len(value) > 40:
            raise self.fault(f"{key} ska vara små bokstäver, siffror och bindestreck")
        return value

    def sha256(self, key: str, default: str | None = None) -> str:
        """Returns 64 hexadecimal digits in lower case."""
        value = self.text(key, default)
        if value != default and not _SHA256.fullmatch(value):
            raise self.fault(f"{key} ska vara 64 hexadecimala siffror")
        return value

    def number(self, key: str, default: int | None = None) -> int:
        """Returns a whole number from 1 to 1000."""
        value = self._get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1000:
            raise self.fault(f"{key} ska vara ett heltal")
        return value

    def boolean(self, key: str, default: bool | None = None) -> bool:
        """Returns true or false."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self.fault(f"{key} ska vara true eller false")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """Returns one of `allowed`."""
        value = self.text(key, default)
        if value not in allowed:
            raise self.fault(f"{key} ska vara något av {', '.join(filter(None, allowed))}")
        return value

    def moment(self, key: str) -> dt.datetime:
        """Returns a time with a time zone, converted to UTC."""
        value = self._get(key)
        if not isinstance(value, dt.datetime) or value.tzinfo is None:
            raise self.fault(f"{key} ska vara en tid med tidszon")
        return value.astimezone(dt.UTC)

    def duration(self, key: str) -> dt.timedelta:
        """Returns a duration such as 60m, 48h or 365d."""
        found = _DURATION.fullmatch(self.text(key))
        if not found or not int(found[1]):
            raise self.fault(f"{key} ska vara en tid som 60m, 48h eller 365d")
        return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})

    def mapping(self, key: str) -> "Node":
        """Returns a nested mapping."""
        return Node(f"{self._place}, {key}", self._get(key))

    def tables(self, key: str) -> "list[Node]":
        """Returns a list of mappings, not empty."""
        value = self._get(key)
        if not isinstance(value, list) or not value:
            raise self.fault(f"{key} ska vara en lista")
        return [Node(f"{key} {number}", each) for number, each in enumerate(value, 1)]

    def optional_tables(self, key: str) -> "list[Node]":
        """Like `tables`, but empty if the key is missing."""
        return self.tables(key) if key in self else []

    def closed(self, *known: str) -> "Node":
        """Returns itself if it has no other keys than these."""
        unknown = sorted(str(key) for key in set(self._value) - set(known))
        if unknown:
            raise self.fault(f"okänt {', '.join(unknown)}")
        return self
