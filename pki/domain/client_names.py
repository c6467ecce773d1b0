"""Names and attributes that a machine client may have in the certificates that it orders: granted names, registered attributes.

A granted name is a DNS name, an IP address, a common name, a DNS name that begins with "*." for every name directly or deeper
below it, or ANY_NAME. Names compare case-insensitively. Values of the subject's other attributes are registered for the client
(ADR 0138) and compare exactly.
"""

import ipaddress
from collections.abc import Collection, Iterable, Mapping

ANY_NAME = "*"
_ALTERNATIVES = ("dNSName", "iPAddress")
_COMMON_NAME = "commonName"


def normal(name: str) -> str:
    """Returns the granted name as it is stored. Raises ValueError if no certificate can match it."""
    text = _comparable(name.strip())
    inner = text.removeprefix("*.")
    if not text or len(text) > 253 or (text != ANY_NAME and ("*" in inner or "," in text or not inner)):
        raise ValueError(name)
    return text


def ordered(subject: Mapping[str, str], subject_alternative: Mapping[str, str]) -> dict[str, list[str]]:
    """Returns the names in an order, its alternative names and its common name, by the order's field."""
    names = {
        f"subject_alternative.{kind}": [name for name in subject_alternative.get(kind, "").split(",") if name]
        for kind in _ALTERNATIVES
    }
    return names | {f"subject.{_COMMON_NAME}": [common] if (common := subject.get(_COMMON_NAME)) else []}


def unregistered(subject: Mapping[str, str], registered: Mapping[str, Collection[str]]) -> list[str]:
    """Returns the attributes of `subject` whose value is not registered; commonName is excluded, because it is a name.

    `registered` has values by attribute, and ANY_NAME for every value. An attribute without a registered value may not occur.
    """
    return [
        name for name, value in subject.items() if name != _COMMON_NAME and not {value, ANY_NAME} & set(registered.get(name, ()))
    ]


def outside(names: Mapping[str, Iterable[str]], granted: Iterable[str]) -> dict[str, list[str]]:
    """Returns those of `names` that no granted name allows, by field; leaves out fields without such names."""
    allowed = set(granted)
    if ANY_NAME in allowed:
        return {}
    below = tuple(name.removeprefix("*") for name in allowed if name.startswith("*."))
    refused = {
        field: [name for name in held if _comparable(name) not in allowed and not (below and name.lower().endswith(below))]
        for field, held in names.items()
    }
    return {field: held for field, held in refused.items() if held}


def _comparable(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()
