"""The pages of an activation or an unlocking (rules/issuance 5.1, 5.6): the card, and the holder's progress in the app."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from issuance.activation.domain.transaction_states import OPEN, TransactionState
from issuance.activation.models import DocumentSuspicion, EidAppTransaction
from issuance.activation.queries import identifying
from issuance.activation.queries.identifying import Ways
from issuance.activation.services import suspicions
from issuance.authz import Actor
from issuance.carriers import services as carriers
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.kinds import Function
from issuance.carriers.models import Carrier
from issuance.orders.domain.items import UNSENT
from issuance.orders.models.orders import OrderItem
from issuance.person_page.queries import person_view
from issuance.person_page.queries.page_parts import CarrierView, PersonHead
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.errors import NotFound


@dataclass(frozen=True)
class OpenTransaction:
    """An open transaction for the card. `is_started` means that the holder has put the card in the app's reader."""

    transaction_id: UUID
    is_own: bool
    is_started: bool


@dataclass(frozen=True)
class ActivationView:
    """The first step's page: holder and card. `kind` is the card's kind. `is_ready` means that the card's state allows
    the activation or unlocking. `ways` are how its holder can be identified. `suspicion` is what stops the visit, if a document
    was or may be false.
    """

    head: PersonHead
    carrier: CarrierView
    kind: str
    is_ready: bool
    under_way: OpenTransaction | None
    ways: Ways
    suspicion: DocumentSuspicion | None


def activation_view(*, actor: Actor, carrier_id: UUID | str, function: Function = Function.ACTIVATE) -> ActivationView:
    """Returns the card on which `actor` has the function, in any state. Raises NotFound, Forbidden (role, own matter)."""
    row = carriers.get(actor, function, _carriers, carrier_id)
    page = person_view.person_view(actor=actor, person_id=row.holder_id, with_invalid=True)
    carrier = next((each for each in page.carriers if each.id == row.id), None)
    if carrier is None:
        raise NotFound("not-found", "Kortet finns inte.")
    return ActivationView(
        head=page.head,
        carrier=carrier,
        kind=row.kind,
        is_ready=is_ready(row, function),
        under_way=_under_way(actor, row),
        ways=identifying.ways(row),
        suspicion=suspicions.stopping(row.pk) if row.is_stopped else None,  # type: ignore[attr-defined]
    )


def _carriers(_actor: Actor) -> QuerySet[Carrier]:
    stops = Exists(suspicions.stops(OuterRef("person"), OuterRef("pk")))
    return Carrier.objects.defer("card_key_spki").annotate(is_stopped=stops)


def card_to_check(*, actor: Actor, carrier_id: UUID | str, function: Function = Function.ACTIVATE) -> str:
    """Returns the serial number of a card on which `actor` has the function. Raises NotFound, Forbidden (role, own matter)."""
    serial: str = carriers.get(actor, function, Carrier.objects.only("card_serial", "kind"), carrier_id).card_serial
    return serial


def earlier_card(*, actor: Actor, carrier: Carrier) -> Carrier | None:
    """Returns the newest other active card of the same kind, holder and organisation that `actor` may revoke, or None."""
    rule = kinds.kind_of(carrier.kind).rule(Function.REVOKE)
    if rule is None:
        return None
    rows = Carrier.objects.visible_to(actor, rule.right).filter(
        person=carrier.holder_id, organisation=carrier.organisation_id, kind=carrier.kind, state=CarrierState.ACTIVE.value
    )
    return rows.exclude(pk=carrier.pk).only("id", "card_serial", "kind", "state").order_by("-created_at", "-id").first()


def replaced_card(replaced_id: UUID | None) -> Carrier | None:
    """Returns the card that another one replaces, with the facts that pages show of it. None without an id."""
    return Carrier.objects.only("id", "card_serial", "state").get(pk=replaced_id) if replaced_id else None


def is_ready(carrier: Carrier, function: Function = Function.ACTIVATE) -> bool:
    """Returns True if the carrier's state allows the function."""
    return kinds.kind_of(carrier.kind).allows(function, carrier.state)


def waiting(transaction_ids: Iterable[str]) -> dict[str, str]:
    """Returns, by transaction id, the SHA-256 of the handle of those transactions that still wait for the app. Only for ids
    from the user's own session.
    """
    ids = list(transaction_ids)
    rows = EidAppTransaction.objects.filter(pk__in=ids, state=TransactionState.CREATED.value, expires_at__gt=clock.now())
    return {str(pk): digest for pk, digest in rows.values_list("pk", "handle_sha256")} if ids else {}


def signing_days(carrier: Carrier) -> int | None:
    """Returns the days left to sign before the system revokes a card whose code is set. Returns None for other cards."""
    if carrier.state != CarrierState.ACTIVATED_UNSIGNED or carrier.code_set_at is None:
        return None
    day = carrier.code_set_at.astimezone(clock.STOCKHOLM).date()
    return (day + dt.timedelta(days=settings.NOT_SIGNED_DAYS) - clock.today()).days


def letter_after(transaction: EidAppTransaction) -> str:
    """Returns what became of the PUK letter of a card that the transaction unlocked: `withdrawn`, `coming` if a supplier had
    accepted it, or "" without one.
    """
    events = Event.objects.filter(subject_type="carrier", subject_ref=str(transaction.carrier_id))
    if events.filter(action="carrier.puk_letter_withdrawn", facts__transaction=str(transaction.pk)).exists():
        return "withdrawn"
    return "coming" if OrderItem.objects.filter(puk_of=transaction.carrier_id, state__in=UNSENT).exists() else ""


def _under_way(actor: Actor, carrier: Carrier) -> OpenTransaction | None:
    rows = EidAppTransaction.objects.filter(
        carrier=carrier, state__in=[state.value for state in OPEN], expires_at__gt=clock.now()
    )
    row = rows.only("id", "officer_ref", "state").first()
    if row is None:
        return None
    return OpenTransaction(row.id, row.officer_ref == actor.ref, row.state != TransactionState.CREATED)
