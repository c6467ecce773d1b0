"""The eIDs that a subscription counts: those of a month's end as they were kept, or those of now."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from billing import ports
from billing.ledger.models import SubscriptionEvidence
from billing.records.domain.periods import Month
from issuance import service as issuance
from issuance.authz import Actor
from siths_portal.lib import clock
from siths_portal.lib import ports as connected
from siths_portal.lib.lists import Lines

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Those of a reference: no I, L, O and U, which people take for other ones."""


@dataclass(frozen=True)
class Counted:
    """The eIDs of an organisation that were counted `at` a moment, one for each person.

    `sha256` is their hash in the month-end count, and empty for the running month, which keeps nothing.
    """

    organisation_id: UUID
    organisation_name: str
    at: dt.datetime
    eids: Sequence[UUID]
    taken_at: dt.datetime
    sha256: str = ""

    @property
    def last_day(self) -> dt.date:
        """The day in Stockholm at whose end a month-end count counts."""
        return (self.at.astimezone(clock.STOCKHOLM) - dt.timedelta(days=1)).date()


@dataclass(frozen=True)
class CountedEid:
    """A counted eID. `holder` is None unless names are shown and the actor may see this one's."""

    eid_id: UUID
    carrier: str
    holder: issuance.EidHolder | None = None

    @property
    def reference(self) -> str:
        """Returns the eID's reference for people who see no names: eight letters and digits, made of the last 40 bits of its id.

        Ids are random there: the chance that two of 100,000 eIDs share a reference is 0.5 %. A file has the whole id too.
        """
        bits = self.eid_id.int
        letters = "".join(_LETTERS[bits >> shift & 31] for shift in range(35, -5, -5))
        return f"{letters[:4]}-{letters[4:]}"


def of_month(organisation_id: UUID, month: Month) -> Counted | None:
    """Returns what the count of the month's end kept, or None if it kept nothing. The caller has checked the right."""
    snapshots = SubscriptionEvidence.objects.select_related("snapshot")
    kept = snapshots.filter(snapshot__organisation_id=organisation_id, snapshot__period=month.first_day).first()
    if kept is None:
        return None
    row = kept.snapshot
    return Counted(organisation_id, row.organisation_name, month.end, kept.eids, row.taken_at, row.evidence_sha256)


def of_now(party_id: UUID, organisation_id: UUID) -> Counted | None:
    """Returns the eIDs that count if the month ends now, or None if the party pays no subscription for the organisation."""
    now = clock.now()
    facts = connected.get(ports.IssuanceFacts)
    found = facts.subscription_counts(now, party_id, organisation_id=organisation_id, with_eids=True)
    for count in found:
        return Counted(organisation_id, count.organisation_name, now, count.eids, now)
    return None


def lines(actor: Actor, counted: Counted, *, named: bool) -> Lines[CountedEid]:
    """Returns a pageable source of the eIDs; with `named` each has its holder, if `actor` may issue to them."""

    def convert(eids: Sequence[UUID]) -> list[CountedEid]:
        carriers = issuance.eid_carriers(eids)
        holders = issuance.eid_holders(actor, eids) if named else {}
        return [CountedEid(eid, carriers.get(eid, ""), holders.get(eid)) for eid in eids]

    return Lines(counted.eids, paged=True, convert=convert)
