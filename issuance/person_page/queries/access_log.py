"""Who was shown data of a person, from the events that pages record before they show it (ADR 0080)."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_noop as _

from issuance.authz import Action, Actor, policy
from issuance.people.models.persons import Person
from issuance.people.services.disclosures import Shown
from issuance.records.domain import wording
from issuance.records.models.events import Event
from issuance.records.queries.history import names_of
from siths_portal.lib.lists import Rows

WHAT: Mapping[str, str] = {
    Shown.PERSON: _("Personens sida"),
    Shown.PERSON_HISTORY: _("Personens historik"),
    Shown.PERSON_HISTORY_FILE: _("Personens historik, som fil eller på papper"),
    Shown.CARRIER_HISTORY: _("Ett korts historik"),
    Shown.CARRIER_HISTORY_FILE: _("Ett korts historik, som fil eller på papper"),
    Shown.EID_HISTORY: _("Historiken för ett SITHS eID"),
    Shown.EID_HISTORY_FILE: _("Historiken för ett SITHS eID, som fil eller på papper"),
    Shown.ACCESS_LOG: _("Vem som har tittat"),
    Shown.ACCESS_LOG_FILE: _("Vem som har tittat, som fil eller på papper"),
    Shown.CERTIFICATE: _("Ett certifikat"),
    Shown.RECEIPT: _("En kvittens"),
    Shown.RECEIPT_PDF: _("En kvittens (PDF)"),
    Shown.PHOTO: _("Personens foto"),
    Shown.ORDER: _("En beställning"),
    Shown.REVOCATION: _("Sidan för spärr"),
}
"""The words for what was shown."""


@dataclass(frozen=True)
class AccessEntry:
    """One showing: when, what, and to whom."""

    id: int
    at: dt.datetime
    what: str
    who: str


def access_log(*, actor: Actor, person_id: UUID) -> Rows[Event, AccessEntry]:
    """Returns who was shown data of a person. A clerk with protected identity is named only to actors who may see them.

    Raises NotFound, Forbidden.
    """
    person = policy.get(actor, Action.VIEW_ACCESS_LOG, Person.objects, person_id)

    def lines(rows: Sequence[Event]) -> list[AccessEntry]:
        who = names_of(actor, {row.actor_ref for row in rows})
        return [AccessEntry(row.id, row.at, wording.label(WHAT, str(row.facts.get("shown"))), who[row.actor_ref]) for row in rows]

    return Rows(Event.objects.filter(subject_type="disclosure", subject_ref=str(person.pk), action="person.shown"), lines)
