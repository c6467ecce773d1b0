"""The frameworks of Swedish e-IDs for work: their names of levels of assurance, and the claims that carry an identity.

The only table of them: system checks, authorization requests and the validation of ID tokens read it (rules/authn 1.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass

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
