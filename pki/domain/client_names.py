"""The names that a machine client may order certificates for.

A granted name is a DNS name, an IP address, a common name, a DNS name that begins with "*." for every name directly or deeper
below it, or ANY_NAME. Names compare case-insensitively.
"""

import ipaddress
from collections.abc import Iterable, Mapping

ANY_NAME = "*"
_ALTERNATIVES = ("dNSName", "iPAddress")


def normal(name: str) -> str:
    """Returns the granted name as it is stored. Raises ValueError if no certificate can match it."""
    text = _comparable(name.strip())
    inner = text.removeprefix("*.")
    if not text or len(text) > 253 or (text != ANY_NAME and ("*" in inner or "," in text or not inner)):
        raise ValueError(name)
    return text


def ordered(subject: Mapping[str, str], subject_alternative: Mapping[str, str]) -> list[str]:
    """Returns the names that an order is for: its alternative names, and its common name unless that is a mere label.

    A common name is a label if the certificate has alternative names and it contains no dot: relying parties that check names
    never compare such a text with a host.
    """
    names = [name for kind in _ALTERNATIVES for name in subject_alternative.get(kind, "").split(",") if name]
    common = subject.get("commonName", "")
    return [*names, common] if common and (not names or "." in common) else names


def outside(names: Iterable[str], granted: Iterable[str]) -> list[str]:
    """Returns those of `names` that no granted name allows."""
    allowed = set(granted)
    if ANY_NAME in allowed:
        return []
    below = tuple(name.removeprefix("*") for name in allowed if name.startswith("*."))
    return [name for name in names if _comparable(name) not in allowed and not (below and name.lower().endswith(below))]


def _comparable(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()
