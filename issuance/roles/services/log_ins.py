"""Ends the log-in of somebody else, for example when a card was left in a reader (rules/authn 2.3)."""

from uuid import UUID

from authn import service as authn
from issuance.authz import Actor
from issuance.roles.queries import log_ins


def end(*, actor: Actor, session_id: UUID) -> bool:
    """Ends the session, with an event that names `actor`, and deletes what its person had typed and not sent.

    Returns False if no such session is live, or if it is of a person whom `actor` does not see. Raises Forbidden.
    """
    if not log_ins.is_visible(actor=actor, session_id=session_id):
        return False
    return authn.end_session(session_id, actor_ref=actor.ref)
