"""The rule for what one person asks for and a second decides, in one place for every such act (ADR 0296).

Used for global roles, matters of the PKI, revocations above the limit, the release of an invoice run and a number series.
"""

import datetime as dt
from collections.abc import Collection

from issuance.authz import Action, Actor, policy
from siths_portal.lib.errors import Forbidden

OWN = "Du har begärt ärendet själv. Be en kollega att besluta."
CONCERNED = "Ärendet gäller dig själv. Be en kollega att besluta."
TOO_NEW = "Din behörighet är yngre än ärendet. En person som redan hade behörigheten när ärendet begärdes ska besluta."


def refusal(
    actor: Actor, action: Action, *, asked_by: str, asked_at: dt.datetime, concerned: Collection[str] = (), path: str = "/"
) -> str:
    """Returns why the actor may not decide what `asked_by` asked for at `asked_at`; empty if they may.

    `action` is the right to decide, at `path`, by default over everything. It must have begun before the request, so that nobody
    is given the right in order to approve. The requester never decides, nor do those whom the request concerns (`concerned`,
    references as `asked_by`).
    """
    if actor.ref == asked_by:
        return OWN
    if actor.ref in concerned:
        return CONCERNED
    since = policy.held_since(actor, action, path)
    return TOO_NEW if since is None or since >= asked_at else ""


def require_second(
    actor: Actor, action: Action, *, asked_by: str, asked_at: dt.datetime, concerned: Collection[str] = (), path: str = "/"
) -> None:
    """Passes if `refusal` is empty. Raises Forbidden, also if the actor lacks `action` everywhere, where no `path` is given."""
    if path == "/":
        policy.require_global(actor, action)
    if why := refusal(actor, action, asked_by=asked_by, asked_at=asked_at, concerned=concerned, path=path):
        raise Forbidden("second-person", why)
