"""The rule for acts that one person requests and another decides (ADR 0296).

It covers global roles, PKI approvals, revocations above the limit, the release of an invoice run and invoice number series.
"""

import datetime as dt
from collections.abc import Collection

from issuance.authz import Action, Actor, policy
from siths_portal.lib.errors import Forbidden

OWN = "Du har själv lämnat begäran. Be en kollega att besluta."
CONCERNED = "Begäran gäller dig själv. Be en kollega att besluta."
TOO_NEW = "Din behörighet är yngre än begäran. Be någon besluta som hade behörigheten när begäran kom in."


def refusal(
    actor: Actor,
    action: Action,
    *,
    requested_by: str,
    requested_at: dt.datetime,
    concerned: Collection[str] = (),
    path: str = "/",
) -> str:
    """Returns why the actor may not decide a request by `requested_by` made at `requested_at`; an empty text if they may.

    `action` is the right to decide at `path`, by default globally. The right must be older than the request, so that nobody
    receives it in order to approve. The requester never decides, nor do the persons concerned (`concerned`, references like
    `requested_by`).
    """
    if actor.ref == requested_by:
        return OWN
    if actor.ref in concerned:
        return CONCERNED
    since = policy.held_since(actor, action, path)
    return TOO_NEW if since is None or since >= requested_at else ""


def require_second(
    actor: Actor,
    action: Action,
    *,
    requested_by: str,
    requested_at: dt.datetime,
    concerned: Collection[str] = (),
    path: str = "/",
) -> None:
    """Raises Forbidden unless `refusal` is empty.

    Without a `path` it also raises Forbidden if the actor does not have `action` globally.
    """
    if path == "/":
        policy.require_global(actor, action)
    if why := refusal(actor, action, requested_by=requested_by, requested_at=requested_at, concerned=concerned, path=path):
        raise Forbidden("second-person", why)
