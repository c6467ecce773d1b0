"""Handles: rows that one session made and looks at again by their id, which alone stands in an address (ADR 0077)."""

from uuid import UUID

from django.db.models import Model, QuerySet

from issuance.authz import Actor, policy


def own[Row: Model](rows: QuerySet[Row], *, actor: Actor, session_id: UUID, handle_id: UUID) -> Row:
    """The one of `rows` with this id, if the actor made it in this session. Raises NotFound for any other, also one that was made
    before a new log-in.
    """
    row = rows.filter(pk=handle_id, owner_ref=actor.ref, session_id=session_id).first()
    if row is None:
        raise policy.not_found()
    return row
