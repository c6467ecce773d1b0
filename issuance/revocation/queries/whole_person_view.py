"""The content of the pages that revoke everything of a person: what will end, and afterwards what ended."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier, Eid
from issuance.people.models.persons import Person
from issuance.revocation.queries import revocation_view
from issuance.revocation.queries.revocation_view import RevocationSubject
from issuance.revocation.services import whole_person


@dataclass(frozen=True)
class PersonRevocation:
    """What ends, or ended, together: carriers with the eIDs on them, and eIDs on carriers that stay.

    `known_since` is the earliest time of a request for all of it. `revoked_at`, `reason` and `reason_code` are set afterwards.
    """

    person_id: UUID
    subjects: tuple[RevocationSubject, ...]
    known_since: dt.datetime | None = None
    revoked_at: dt.datetime | None = None
    reason: str = ""
    reason_code: str = ""

    @property
    def carriers(self) -> list[RevocationSubject]:
        """The carriers."""
        return [subject for subject in self.subjects if subject.kind == "carrier"]

    @property
    def eids(self) -> list[RevocationSubject]:
        """The eIDs on carriers that stay."""
        return [subject for subject in self.subjects if subject.kind == "eid"]

    @property
    def cards_out(self) -> list[RevocationSubject]:
        """The carriers that the holder may have."""
        return [subject for subject in self.carriers if subject.last]

    @property
    def ids(self) -> list[str]:
        """The ids of carriers and eIDs, as the form sends them."""
        return [str(subject.id) for subject in self.subjects]


def person_to_revoke(*, actor: Actor, person_id: UUID) -> PersonRevocation:
    """Returns everything of the person that the actor may revoke now, perhaps nothing. Raises NotFound, Forbidden."""
    policy.get(actor, Action.REVOKE_CARRIER, Person.objects, person_id)
    found = whole_person.live_possessions(actor, person_id)
    return PersonRevocation(person_id, _subjects(actor, found.carriers, found.eids), found.known_since)


def person_revoked(*, actor: Actor, person_id: UUID) -> PersonRevocation | None:
    """Returns what was revoked for the person at the last moment when something was, of what the actor may revoke; None if
    nothing ever was. Raises NotFound, Forbidden.
    """
    policy.get(actor, Action.REVOKE_CARRIER, Person.objects, person_id)
    carriers = whole_person.revocable_carriers(actor, person_id).filter(state=CarrierState.REVOKED)
    eids = whole_person.revocable_eids(actor, person_id).filter(state=EidState.REVOKED)
    ended: list[Carrier | Eid] = [*carriers, *eids]
    moment = max((row.ended_at for row in ended if row.ended_at), default=None)
    last = [row for row in ended if row.ended_at == moment]
    if moment is None:
        return None
    with_all = [row for row in last if isinstance(row, Carrier)]
    alone = [row for row in last if isinstance(row, Eid) and row.carrier_id not in {each.pk for each in with_all}]
    subjects = _subjects(actor, with_all, alone, ended_at=moment)
    first = subjects[0]
    return PersonRevocation(person_id, subjects, revoked_at=moment, reason=first.reason, reason_code=first.reason_code)


def _subjects(
    actor: Actor, carriers: Sequence[Carrier], eids: Sequence[Eid], *, ended_at: dt.datetime | None = None
) -> tuple[RevocationSubject, ...]:
    on_carriers = revocation_view.live_eids(actor, [carrier.pk for carrier in carriers], ended_at=ended_at)
    whole = [revocation_view.carrier_subject(carrier, on_carriers.get(carrier.pk, ())) for carrier in carriers]
    return (*whole, *(revocation_view.eid_subject(eid) for eid in eids))
