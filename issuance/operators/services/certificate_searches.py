"""Searches for certificates by operators, stored under an opaque id that only their session can use."""

import datetime as dt
from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.operators.models import CertificateSearch
from issuance.records.models.events import Event
from issuance.records.services import handles
from pki.operators.certificate_search import CertificateCriteria, certificate_criteria
from siths_portal.lib import clock


@transaction.atomic(durable=True)
def search(
    *,
    actor: Actor,
    session_id: UUID,
    text: str = "",
    ca: tuple[str, int] | None = None,
    profile: str = "",
    status: str = "",
    expires_from: dt.datetime | None = None,
    expires_before: dt.datetime | None = None,
) -> CertificateSearch:
    """Stores a search for certificates for the actor's session. The event records which fields were used and no value. A
    certificate's holder is not shown in the hits, so it is no disclosure. Raises Invalid, Forbidden.
    """
    policy.require_global(actor, Action.VIEW_PKI)
    criteria = certificate_criteria(
        text=text, ca=ca, profile=profile, status=status, expires_from=expires_from, expires_before=expires_before
    )
    row = CertificateSearch.objects.create(
        owner_ref=actor.ref,
        session_id=session_id,
        form=_as_typed(criteria, text, ca, expires_from, expires_before),
        criteria=criteria.as_json(),
        created_at=clock.now(),
    )
    Event.record(
        actor_ref=actor.ref,
        action="certificate_search.made",
        subject_type="certificate_search",
        subject_ref=str(row.id),
        facts={"fields": sorted(criteria.as_json())},
    )
    return row


def _as_typed(
    criteria: CertificateCriteria,
    text: str,
    ca: tuple[str, int] | None,
    expires_from: dt.datetime | None,
    expires_before: dt.datetime | None,
) -> dict[str, str]:
    """Returns the form's values to show again. A pasted certificate is kept only as its hash, because it names its holder."""
    first = expires_from.astimezone(clock.STOCKHOLM).date() if expires_from else None
    last = (expires_before - dt.timedelta(microseconds=1)).astimezone(clock.STOCKHOLM).date() if expires_before else None
    return {
        "text": criteria.sha256 or text.strip(),
        "ca": f"{ca[0]}:{ca[1]}" if ca else "",
        "profile": criteria.profile,
        "status": criteria.status,
        "expires_from": first.isoformat() if first else "",
        "expires_to": last.isoformat() if last else "",
    }


def own(*, actor: Actor, session_id: UUID, search_id: UUID) -> CertificateSearch:
    """Returns the actor's search of this session. Raises NotFound for any other, Forbidden."""
    policy.require_global(actor, Action.VIEW_PKI)
    return handles.own(CertificateSearch.objects.all(), actor=actor, session_id=session_id, handle_id=search_id)


def delete_old(before: dt.datetime) -> int:
    """Deletes searches for certificates created before `before`. Returns the number of rows."""
    return CertificateSearch.objects.filter(created_at__lt=before).delete()[0]
