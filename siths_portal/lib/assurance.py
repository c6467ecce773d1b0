"""The frameworks of Swedish e-IDs for work: their names of levels of assurance, and the claims that carry an identity.

The only table of them: system checks, authorization requests and the validation of ID tokens read it (rules/authn 1.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

REQUIRED_LEVEL = 3
"""The level of assurance that a log-in with the rights of a person needs (S04)."""

LEVELS: Mapping[str, int] = {
    # Sambi; Inera's identity provider uses the same names.
    "http://id.sambi.se/loa/loa2": 2,
    "http://id.sambi.se/loa/loa3": 3,
    # Sweden Connect. Self-declared and non-resident variants have other names, and no level here.
    "http://id.elegnamnden.se/loa/1.0/loa2": 2,
    "http://id.elegnamnden.se/loa/1.0/loa3": 3,
    "http://id.elegnamnden.se/loa/1.0/loa4": 4,
}
"""The level of each `acr` value. A value that is not here has no level."""

TRANSPORT_ACR = "urn:siths-eid-portal:acr:transport"
"""The `acr` of a log-in with the transport certificate of a reserve card, which names no person. Our own, on Mina sidor only."""

CARD_SERIAL = "card_serial"
"""The claim with the serial number of the card that was used, in every framework. At TRANSPORT_ACR it is all that is said."""

OF_HOLDERS = frozenset({*LEVELS, TRANSPORT_ACR})
"""The `acr` values that Mina sidor may accept."""


class Level(StrEnum):
    """What a log-in proves: a person at level 3 or 2, or with CARD only that somebody holds a reserve card and its code."""

    LOA3 = "3"
    LOA2 = "2"
    CARD = "card"


def level_of(acr: object) -> Level | None:
    """Returns the level of an `acr`, or None for a value without one. Level 4 counts as 3."""
    if acr == TRANSPORT_ACR:
        return Level.CARD
    number = LEVELS.get(acr) if isinstance(acr, str) else None
    if number is None:
        return None
    return Level.LOA3 if number >= REQUIRED_LEVEL else Level.LOA2


SUFFICIENT = frozenset(name for name, level in LEVELS.items() if level >= REQUIRED_LEVEL)
"""The `acr` values of level 3 and higher."""


@dataclass(frozen=True)
class Claims:
    """The names of the claims that carry an identity in one framework.

    `hsa_id` is the chosen HSA-id, `all_hsa_ids` all of the person's or "" if the framework has no such claim. `person_id` lists
    the claims of the number of twelve digits; a token has exactly one of them. `names` are requested for nothing but display.
    """

    hsa_id: str
    all_hsa_ids: str
    person_id: tuple[str, ...]
    names: tuple[str, ...]


_NAMES = ("given_name", "family_name", "name")
_SAMBI, _OIDC_SE = "http://sambi.se/attributes/1/", "https://id.oidc.se/claim/"

FRAMEWORKS: Mapping[str, Claims] = {
    "inera": Claims("employeeHsaId", "allEmployeeHsaIds", ("credentialPersonalIdentityNumber",), _NAMES),
    "sambi": Claims(
        f"{_SAMBI}employeeHsaId",
        "",
        (f"{_SAMBI}personalIdentityNumber",),
        (f"{_SAMBI}givenName", f"{_SAMBI}surname"),
    ),
    # The national specification has claims for the numbers. It has none for the HSA-id, which keeps its name in the directory.
    "sweden-connect": Claims("employeeHsaId", "", (f"{_OIDC_SE}personalIdentityNumber", f"{_OIDC_SE}coordinationNumber"), _NAMES),
}
"""The claims of each framework, by its name in `OIDC_FRAMEWORK` and `OIDC_PROVIDERS`."""
