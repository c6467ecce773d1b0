"""What the operators' pages of the PKI share: the section, the age of a login for its actions, and the names that they show."""

import datetime as dt
from collections.abc import Iterable, Mapping

from django.http import HttpRequest

from issuance.people.queries import officers
from issuance.records.web.frame import PKI, actor_of
from pki.operators.authorities import authority_names

__all__ = ["AT_ONCE", "PKI", "names_of"]

AT_ONCE = dt.timedelta(0)
"""Actions on the PKI require a login made for them (ADR 0072)."""


def names_of(request: HttpRequest, refs: Iterable[str]) -> Mapping[str, str]:
    """Returns the names of the people behind `refs` that the actor may see, and of all CAs by `<slug>:<generation>`."""
    return officers.names(actor_of(request), refs) | authority_names()
