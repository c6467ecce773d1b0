"""A holder's own carriers and eIDs, as Mina sidor shows them."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from issuance.authz import Action, Actor, ScopedQuerySet, policy
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import INVALID, CarrierState
from issuance.carriers.domain.eid_states import LIVE_EIDS, EidState
from issuance.carriers.models import Carrier, Eid
from issuance.minasidor.queries.todo import Task, Urgency
from issuance.orders.domain.eid_order_states import EidOrderState
from issuance.orders.models.eid_orders import EidOrder
from issuance.person_page.queries import carrier_words
from issuance.person_page.queries.carrier_words import Face
from issuance.records.domain import wording
from issuance.revocation.domain import RevocationReason
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.pages import status_words
from siths_portal.lib.pages.dates import in_words
from siths_portal.lib.pages.status_words import Noun

SOON = 90
"""Days before its end from which the start page says that a carrier ends."""

WHY_ENDED: Mapping[str, str] = {
    RevocationReason.LOST_OR_STOLEN: gettext_noop("Det var borta eller stulet."),
    RevocationReason.SUSPECTED_MISUSE: gettext_noop("Någon annan kan ha använt det."),
    RevocationReason.ASSIGNMENT_ENDED: gettext_noop("Anställningen eller uppdraget tog slut."),
    RevocationReason.CHANGED_DETAILS: gettext_noop("Uppgifterna på det ändrades."),
    RevocationReason.DAMAGED: gettext_noop("Det var trasigt."),
    RevocationReason.REPLACED: gettext_noop("Ett nytt ersatte det."),
    RevocationReason.WRONGLY_ISSUED: gettext_noop("Det var felaktigt utfärdat."),
    RevocationReason.DECEASED: gettext_noop("Innehavaren är avliden."),
    RevocationReason.OTHER: gettext_noop("Det fanns en annan orsak."),
    RevocationReason.NOT_ACTIVATED: gettext_noop("Det aktiverades inte i tid."),
    RevocationReason.NOT_SIGNED: gettext_noop("Kvittensen skrevs inte under i tid."),
    RevocationReason.REMOVED_FROM_CATALOGUE: gettext_noop("Uppdraget fanns inte längre i HSA-katalogen."),
    RevocationReason.PRODUCTION_FAILED: gettext_noop("Det gick inte att tillverka."),
    RevocationReason.RETURNED: gettext_noop("Försändelsen kom i retur."),
    RevocationReason.CERTIFICATE_REVOKED: gettext_noop("Utfärdaren spärrade certifikatet."),
    RevocationReason.RENEWED: gettext_noop("Ett nytt SITHS eID ersatte det."),
    RevocationReason.NOT_FETCHED: gettext_noop("Det hämtades inte."),
}
"""Why a carrier or an eID was revoked, as its holder reads it."""


@dataclass(frozen=True)
class OwnEid:
    """An eID on a carrier. `valid_to` is its last day, None before it has certificates.

    `renewal_waits` means that its renewal is ordered and waits for the holder.
    """

    id: UUID
    organisation: str
    hsa_id: str
    state: str
    valid_to: dt.date | None
    why: str
    renewal_waits: bool

    @property
    def is_live(self) -> bool:
        """Whether it can be revoked."""
        return self.state in LIVE_EIDS

    @property
    def word(self) -> str:
        """The word for its state."""
        return status_words.word(Noun.EID, self.state)


@dataclass(frozen=True)
class OwnCarrier:
    """A carrier of the holder's. `name` names it in a sentence that begins with it; `valid_to` is its last day.

    `signed_at` is when the holder signed its receipt, None without one. `act_by` is the last day for the holder's next act, and
    `why` why it was revoked. `device` is the holder's name of the device of a mobile eID.
    """

    id: UUID
    kind: str
    state: str
    name: str
    last: str
    face: Face
    organisation: str
    level: int
    serial: str = field(repr=False)
    valid_to: dt.date | None
    act_by: dt.date | None
    signed_at: dt.datetime | None
    ended_at: dt.datetime | None
    why: str
    bears_eids: bool
    eids: tuple[OwnEid, ...]
    device: str = ""

    @property
    def is_card(self) -> bool:
        """Whether it is a card, and not on a device."""
        return kinds.kind_of(self.kind).is_card

    @property
    def is_valid(self) -> bool:
        """Whether it can be revoked."""
        return self.state not in INVALID

    @property
    def has_eid(self) -> bool:
        """Whether the carrier has a valid eID, or is one itself."""
        return not self.bears_eids or any(eid.is_live for eid in self.eids)

    @property
    def days_left(self) -> int | None:
        """Days to its last day, if it is in use and that day is near."""
        if self.state != CarrierState.ACTIVE or self.valid_to is None:
            return None
        left = (self.valid_to - clock.today()).days
        return left if left <= SOON else None


def own_carriers(actor: Actor) -> list[OwnCarrier]:
    """Returns the holder's carriers, what waits for the holder first and what has ended last. Runs two queries."""
    rows = list(_carriers(actor))
    eids: dict[UUID, list[Eid]] = {}
    for eid in _eids(actor, [row.id for row in rows]) if rows else ():
        eids.setdefault(eid.carrier_id, []).append(eid)
    found = [_carrier(row, eids.get(row.id, [])) for row in rows]
    return sorted(found, key=lambda carrier: carrier_words.rank(carrier.state))


def own_carrier(actor: Actor, carrier_id: UUID) -> OwnCarrier:
    """Returns one of the holder's carriers. Raises NotFound, also for another person's."""
    row = policy.get(actor, Action.VIEW, _carrier_rows(), carrier_id)
    return _carrier(row, list(_eids(actor, [row.id])))


def name(kind: str, last: str, device: str, state: str) -> str:
    """Returns how a carrier is named in a text to its holder: by its last digits, never by its whole number."""
    if not kinds.kind_of(kind).is_card:
        return _("Mobilt SITHS, {device}").format(device=device) if device else _("Mobilt SITHS")
    if not last:
        return _("Ditt beställda kort") if state == CarrierState.ORDERED else _("Kort utan nummer")
    if kind == kinds.RESERVE_CARD.code:
        return _("Reservkortet som slutar på {last}").format(last=last)
    return _("Kortet som slutar på {last}").format(last=last)


@prepared
def _carriers(actor: Actor) -> QuerySet[Carrier]:
    return _carrier_rows().visible_to(actor).order_by("-created_at", "-id")


def _carrier_rows() -> ScopedQuerySet[Any]:
    rows = Carrier.objects.select_related("organisation", "article").defer("card_key_spki")
    return cast(ScopedQuerySet[Any], rows.annotate(signed_at=F("receipt__signed_at")))


@prepared
def _eids(actor: Actor, carrier_ids: list[UUID]) -> QuerySet[Any]:
    renewals = EidOrder.objects.filter(replaces=OuterRef("pk"), state=EidOrderState.ORDERED.value)
    rows = Eid.objects.visible_to(actor).filter(carrier__in=carrier_ids).annotate(renewal_waits=Exists(renewals))
    return rows.select_related("organisation").order_by("created_at", "id")


def _carrier(row: Any, eids: Iterable[Eid]) -> OwnCarrier:
    last = row.card_serial[-4:]
    return OwnCarrier(
        id=row.id,
        kind=row.kind,
        state=row.state,
        name=name(row.kind, last, row.device, row.state),
        last=last,
        face=carrier_words.face(row),
        organisation=row.organisation.name,
        level=row.assurance_level,
        serial=wording.card_serial(row.card_serial),
        valid_to=wording.last_day(row.valid_to),
        act_by=_act_by(row),
        signed_at=row.signed_at,
        ended_at=row.ended_at,
        why=wording.label(WHY_ENDED, row.revocation_reason),
        bears_eids=kinds.kind_of(row.kind).bears_eids,
        eids=tuple(_eid(eid) for eid in eids),
        device=row.device,
    )


def _eid(row: Any) -> OwnEid:
    why = wording.label(WHY_ENDED, row.revocation_reason)
    return OwnEid(row.id, row.organisation.name, row.hsa_id, row.state, wording.last_day(row.valid_to), why, row.renewal_waits)


def _act_by(row: Carrier) -> dt.date | None:
    """Returns the last day to activate or to sign (rules/issuance 4.4), or None."""
    since, days = {
        CarrierState.SENT.value: (row.sent_at, settings.NOT_ACTIVATED_DAYS),
        CarrierState.ACTIVATED_UNSIGNED.value: (row.code_set_at, settings.NOT_SIGNED_DAYS),
    }.get(row.state, (None, 0))
    return since.astimezone(clock.STOCKHOLM).date() + dt.timedelta(days=days) if since else None


def tasks(actor: Actor, means: str) -> Iterator[Task]:
    """Yields what the holder should do with carriers: sign, activate, or get a new one before the last one ends."""
    found = own_carriers(actor)
    for carrier in found:
        yield from _task(carrier)
    if not any(carrier.is_valid for carrier in found):
        text = _("Kontakta en ID-administratör i din organisation om du ska ha ett.")
        yield Task(Urgency.ENDS, _("Du har inget giltigt SITHS eID"), text)


def _task(carrier: OwnCarrier) -> Iterator[Task]:
    day = in_words(carrier.act_by)
    if not carrier.is_card and carrier.state != CarrierState.ACTIVE:
        return  # it is begun, and ends by itself
    if carrier.state == CarrierState.ACTIVATED_UNSIGNED and day:
        text = _("Du har valt kod men inte skrivit under. Gå till en ID-administratör senast {day}, annars spärras det.")
        yield Task(Urgency.STOPS, _("Skriv under kvittensen"), f"{carrier.name}. {text.format(day=day)}")
    elif carrier.state == CarrierState.SENT and day:
        text = _("Ta med kortet och en giltig id-handling till en ID-administratör senast {day}. Sedan spärras kortet.")
        yield Task(Urgency.WAITS, _("Aktivera ditt nya kort"), f"{carrier.name}. {text.format(day=day)}")
    elif carrier.state == CarrierState.RESERVED:
        text = _("Reservkortet är utlämnat men inte aktiverat. Logga in här med det, eller gå till den som lämnade ut det.")
        yield Task(Urgency.WAITS, _("Aktivera ditt reservkort"), text)
    elif carrier.days_left is not None:
        text = _("{name} gäller till och med {day}. Be en ID-administratör om ett nytt i god tid.")
        if not carrier.is_card:
            text = _("{name} gäller till och med {day}. Skaffa ett nytt här på Mina sidor i god tid.")
        yield Task(
            Urgency.ENDS,
            _("Skaffa ett nytt innan det gamla går ut"),
            text.format(name=carrier.name, day=in_words(carrier.valid_to)),
        )
    for eid in carrier.eids:
        yield from _ending(carrier, eid)


def _ending(carrier: OwnCarrier, eid: OwnEid) -> Iterator[Task]:
    if eid.state != EidState.ACTIVE or eid.valid_to is None or carrier.days_left is not None or eid.renewal_waits:
        return
    if (eid.valid_to - clock.today()).days <= SOON:
        text = _("Det gäller till och med {day}. Be en ID-administratör att förnya det.").format(day=in_words(eid.valid_to))
        yield Task(Urgency.ENDS, _("Förnya ditt SITHS eID för {organisation}").format(organisation=eid.organisation), text)
