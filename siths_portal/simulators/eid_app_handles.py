"""The handles (start codes) of the eID app: their form, the kind of transaction, and the site that shows them (docs/wire)."""

import re

from siths_portal.simulators.eid_app_errors import BadHandle

KINDS = {"act": "activate", "sig": "sign", "unl": "unlock"}
"""Kinds of transactions by the prefix of handles that the portal shows."""

OWN_KINDS = {"oac": "activate", "osi": "sign", "oun": "unlock", "fet": "fetch"}
"""The same for handles that Mina sidor shows."""

_HANDLE = re.compile(rf"({'|'.join((*KINDS, *OWN_KINDS))})\.[A-Za-z0-9_-]{{22}}")


def kind_of(handle: str) -> str:
    """Returns the kind of transaction of `handle`. Raises BadHandle unless it is `<prefix>.<22 characters base64url>`."""
    found = _HANDLE.fullmatch(handle)
    if not found:
        raise BadHandle
    return (KINDS | OWN_KINDS)[found[1]]


def is_own(handle: str) -> bool:
    """True if Mina sidor shows the handle, so that the app talks to that site."""
    return handle.partition(".")[0] in OWN_KINDS
