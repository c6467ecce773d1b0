"""The people who are logged in now, on the portal and on Mina sidor, for those who may end a log-in (rules/authn 2.3)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Case, QuerySet, UUIDField, When
from django.db.models.functions import Cast, Right
from django.utils.translation import gettext as _

from authn import service as authn
from issuance.authz import Action, Actor, policy
from issuance.authz.actor import HOLDER_PREFIX, USER_PREFIX
from issuance.people.models.persons import Person
from siths_portal.lib.lists import Rows

_UUID_LENGTH = 36
_PERSON = rf"^({USER_PREFIX}|{HOLDER_PREFIX})[0-9a-f-]{{{_UUID_LENGTH}}}$"


@dataclass(frozen=True)
class LogInLine:
    """A session that is live now. `own` says that it is the reader's own."""

    id: UUID
    person_id: UUID
    name: str
    unit: str
    site: str
    created_at: dt.datetime
    last_seen_at: dt.datetime
    expires_at: dt.datetime
    own: bool


def logged_in(*, actor: Actor, own_session: UUID) -> Rows[Any, LogInLine]:
    """Returns the live sessions of people whom `actor` sees by name. `own_session` is the reader's. Raises Forbidden."""
    return Rows(_visible(actor), lambda found: _lines(found, own_session))


def is_visible(*, actor: Actor, session_id: UUID) -> bool:
    """Returns whether this session is live and of a person whom `actor` sees. Raises Forbidden."""
    return _visible(actor).filter(pk=session_id).exists()


def _visible(actor: Actor) -> QuerySet[Any]:
    policy.require_global(actor, Action.END_SESSION)
    people = Person.objects.visible_to(actor, Action.END_SESSION).values("pk")
    # The cast stands in a CASE, so that PostgreSQL never casts the reference of a subject that is no person.
    person = Case(
        When(subject_ref__regex=_PERSON, then=Cast(Right("subject_ref", _UUID_LENGTH), UUIDField())), output_field=UUIDField()
    )
    return authn.live_sessions().annotate(person_id=person).filter(person_id__in=people)


def _lines(found: Sequence[Any], own_session: UUID) -> list[LogInLine]:
    return [
        LogInLine(
            id=row.pk,
            person_id=row.person_id,
            name=row.display_name,
            unit=row.unit_name,
            site=_("Mina sidor") if row.subject_ref.startswith(HOLDER_PREFIX) else _("Portalen"),
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            expires_at=row.expires_at,
            own=row.pk == own_session,
        )
        for row in found
    ]
