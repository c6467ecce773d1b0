"""Actions of card suppliers on orders: they fetch and accept them, read address and photo, and send logotypes.

Each function sees only the supplier's own orders: those of another supplier raise NotFound, like orders that do not exist
(S29). Every function is repeatable.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from issuance.authz import Action, Actor, client, policy
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.models import CarrierCertificate
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import PrintChange, organisation_fact
from issuance.orders.domain import rules
from issuance.orders.domain.order_states import OrderAction, OrderState
from issuance.orders.models.orders import CardOrder
from issuance.orders.services.order_checks import common_name
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person
from issuance.people.ports import PersonKey, RegisteredAddress
from issuance.people.services import people
from issuance.records.models.events import Document, Event
from issuance.records.services import steps
from issuance.suppliers import queries
from issuance.suppliers.services import changes
from issuance.suppliers.services.item_rows import item_of, require_accepted, require_not_withdrawn
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, Forbidden, Gone, Invalid, NotFound
from siths_portal.lib.files.images import check_png

LOGOTYPE_LIMIT = 256 * 1024
LOGOTYPE_SIDE = 2000
_UNFINISHED = frozenset({OrderState.ACCEPTED, OrderState.IN_PRODUCTION})
_OPEN = frozenset({OrderState.ACCEPTED, OrderState.IN_PRODUCTION, OrderState.PRODUCED})
_SHOWN = ("article", "organisation", "customisation", "office", "photo")


@dataclass(frozen=True)
class Delivery:
    """The delivery of a card. `address` is None exactly if the tax agency forwards the card. It is read live and never stored."""

    method: rules.DeliveryMethod
    recipient: str
    address: RegisteredAddress | None

    @property
    def forwarding(self) -> bool:
        """True if the card goes through Skatteverkets förmedlingsuppdrag."""
        return self.method is rules.DeliveryMethod.TAX_AGENCY_FORWARDING


@dataclass(frozen=True)
class Printed:
    """What is printed on the cards of an order. Name and service id are None on reserve cards."""

    given_name: str | None
    surname: str | None
    organisation_name: str
    service_id: str | None
    issuer_number: str
    back_text: str
    logotype_sha256: str | None
    photo_sha256: str | None
    valid_to: dt.datetime | None


def queued_orders(*, client_ref: str, after: UUID | None = None, limit: int = 100) -> list[CardOrder]:
    """Returns at most `limit` of the supplier's queued orders, the oldest first, after the id `after`. Leaves out orders whose
    card customisation is no longer verified, because nobody has checked its print (ADR 0189).
    """
    rows = queries.with_items("carrier__person").visible_to(client(client_ref), Action.SUPPLY)
    rows = rows.filter(state=OrderState.QUEUED.value)
    rows = rows.filter(customisation__verified_at__isnull=False)
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return list(rows.select_related(*_SHOWN).order_by("pk")[:limit])


def order(*, client_ref: str, order_id: UUID) -> CardOrder:
    """Returns an order of the supplier with the present state of its PUK. Raises NotFound."""
    rows = queries.with_items("carrier__person").select_related(*_SHOWN)
    found = policy.get(client(client_ref), Action.SUPPLY, rows, order_id)
    queries.show_present_puks([found])
    return found


def is_being_made(card_order: CardOrder) -> bool:
    """Returns True while the supplier works on the card or letter: accepted, not sent, and the card is not revoked. Only then
    does the supplier get the name, the photo and the address. Afterwards it still reads the order's state.
    """
    newest = list(card_order.items.all())[-1]
    if card_order.state not in _OPEN:
        return False
    if newest.puk_of is not None:
        return newest.puk_of.state == CarrierState.ACTIVE
    card = card_order.latest_card
    return card is None or card.made.state == CarrierState.ORDERED


def printed(card_order: CardOrder) -> Printed:
    """Returns what is printed on the cards of an order that `order` returned."""
    card, items = card_order.latest_card, list(card_order.items.all())
    holder = card.made.holder if card else None
    return Printed(
        given_name=holder.given_name_in_use if holder else None,
        surname=holder.surname if holder else None,
        organisation_name=card_order.organisation.name,
        service_id=card.ordered_eid.hsa_id if card else None,
        issuer_number=card_order.customisation.issuer_number,
        back_text=card_order.customisation.back_text,
        logotype_sha256=card_order.customisation.logotype_id,
        photo_sha256=card_order.photo.document_id if card_order.photo else None,
        valid_to=items[-1].carrier.valid_to if items[-1].carrier else None,
    )


def certificate_ids(*, client_ref: str, order_id: UUID, item: int | None = None) -> dict[str, UUID]:
    """Returns the ids of the certificates requested for an item of the supplier's order, by profile. `item` is the item's
    number; None means the only one. Raises NotFound, Conflict.
    """
    found = policy.get(client(client_ref), Action.SUPPLY, CardOrder.objects, order_id)
    require_accepted(found)
    carrier_id = item_of(found, item).made.pk
    asked = CarrierCertificate.objects.filter(carrier=carrier_id).exclude(csr_sha256="")
    return dict(asked.values_list("profile", "certificate_id"))


def is_to_be_made(card_order: CardOrder) -> bool:
    """Returns True until the card is sent or ended, also before the supplier has accepted the order."""
    return card_order.state == OrderState.QUEUED or is_being_made(card_order)


@transaction.atomic(durable=True)
def accept(*, client_ref: str, order_id: UUID) -> CardOrder:
    """Accepts the supplier's queued order. An accepted order stays as it is. Raises NotFound, Conflict if the order was
    withdrawn or its card customisation is not verified.
    """
    take(client_ref=client_ref, order_id=order_id)
    return order(client_ref=client_ref, order_id=order_id)


def take(*, client_ref: str, order_id: UUID) -> None:
    """Does the same as `accept` in the caller's transaction."""
    actor = client(client_ref)
    locked = CardOrder.objects.select_for_update(of=("self",), no_key=True).select_related("customisation")
    row = policy.get(actor, Action.SUPPLY, locked, order_id)
    require_not_withdrawn(row)
    if row.state == OrderState.QUEUED and row.customisation.verified_at is None:
        raise Conflict("customisation-not-verified", "Kortanpassningen väntar på verifiering. Hämta beställningen senare.")
    if row.state == OrderState.QUEUED:
        steps.step([row], OrderAction.ACCEPT, actor_ref=actor.ref, accepted_at=clock.now())


def delivery(*, client_ref: str, order: CardOrder) -> Delivery | None:
    """Returns recipient and address of an order that `order` returned, and records an event. Returns None unless the supplier
    is making the card or letter. The register gives a person's address live; a bundle goes to its office.

    Raises Conflict if the person is deceased or without address, Unavailable.
    """
    return delivery_of(client_ref=client_ref, order=order) if is_being_made(order) else None


def delivery_of(*, client_ref: str, order: CardOrder) -> Delivery:
    """Does the same as `delivery` for any order, for callers that may ask before the supplier has accepted it."""
    actor = client(client_ref)
    if order.person_id is not None:
        return _to_person(actor, order, order.person_id)
    _record_address(actor, order)
    return _to_office(order)


def _to_office(found: CardOrder) -> Delivery:
    office = found.office
    method = rules.delivery_method(is_protected=False, registered_mail=found.article.registered_mail)
    lines = tuple(line for line in (office.internal_recipient, office.street_address) if line)
    address = RegisteredAddress(lines, office.postal_code, office.city, "SE")
    return Delivery(method, office.recipient_organisation or found.organisation.name, address)


def _to_person(actor: Actor, found: CardOrder, holder_id: UUID) -> Delivery:
    person_id = people.person_id_of(holder_id)
    register = people.read_register(PersonKey(person_id.kind.value, person_id.value))
    with transaction.atomic(durable=True):
        person = Person.objects.select_for_update(no_key=True).get(pk=holder_id)
        people.remember_register(person, register)
        PersonScope.objects.refresh([person.id])
        _record_address(actor, found)
    if register.deceased:
        raise Conflict("person-deceased", "Personen är avliden enligt personregistret. Rapportera beställningen som misslyckad.")
    method = rules.delivery_method(is_protected=register.is_protected, registered_mail=found.article.registered_mail)
    if register.is_protected:
        return Delivery(method, common_name(person), None)
    if register.registered_address is None:
        raise Conflict("no-registered-address", "Personen saknar folkbokföringsadress. Rapportera beställningen som misslyckad.")
    return Delivery(method, common_name(person), register.registered_address)


def _record_address(actor: Actor, found: CardOrder) -> None:
    Event.record(actor_ref=actor.ref, action="order.address_read", subject_type="order", subject_ref=str(found.id))


@transaction.atomic(durable=True)
def photo(*, client_ref: str, order_id: UUID) -> Document:
    """Returns the photo (JPEG) for the card of the supplier's own order until the card is produced, and records an event.

    Raises NotFound for another supplier's order or one without photo, Conflict for one that is not accepted or was withdrawn,
    Gone once the card is produced, failed or revoked.
    """
    actor = client(client_ref)
    found = policy.get(actor, Action.SUPPLY, CardOrder.objects.with_card("puk_of").select_related("photo__document"), order_id)
    require_accepted(found)
    if found.photo is None or found.photo.document is None:
        raise NotFound("photo-none", "Beställningen har inget foto.")
    if found.state not in _UNFINISHED or not is_being_made(found):
        raise Gone("photo-gone", "Fotot lämnas bara ut tills kortet är tillverkat, och inte om kortet är spärrat.")
    Event.record(actor_ref=actor.ref, action="order.photo_read", subject_type="order", subject_ref=str(found.id))
    return found.photo.document


@transaction.atomic(durable=True)
def put_logotype(
    *, client_ref: str, customisation_id: str, png: bytes, sha256: str, check: Callable[[CardCustomisation], None]
) -> CardCustomisation:
    """Stores the logotype of a card customisation. The same bytes change nothing.

    Calls `check` with the locked row before the change; it raises if the caller meant an older version. A new logotype, also
    the first, must be verified before cards can be ordered (ADR 0189). Raises NotFound, Forbidden if the customisation now
    belongs to another supplier, Invalid (not a PNG, too large, hash differs).
    """
    check_png(png, field="logotype", max_bytes=LOGOTYPE_LIMIT, max_side=LOGOTYPE_SIDE)
    if sha256_hex(png) != sha256:
        message = "Logotypens innehåll stämmer inte med den angivna SHA-256-summan."
        raise Invalid("logotype-hash", message, fields={"sha256": [message]})
    actor = client(client_ref)
    # One query locks and checks the row, because another supplier may get the customisation at the same time.
    rows = CardCustomisation.objects.visible_to(actor, Action.READ_SUPPLIED).select_for_update(no_key=True)
    row = _customisation(rows, customisation_id)
    if not CardCustomisation.objects.visible_to(actor, Action.SUPPLY).filter(pk=row.pk).exists():
        raise Forbidden("customisation-of-another", "Kortanpassningen har en annan kortleverantör nu. Du kan bara läsa den.")
    if row.logotype_id == sha256:
        return row
    check(row)
    replaced = row.logotype_id
    row.logotype = Document.store(png, "image/png")
    row.verified_at, row.verified_by_ref = None, ""
    row.save(update_fields=["logotype", "verified_at", "verified_by_ref"])
    Event.record(
        actor_ref=actor.ref,
        action="customisation.logotype_changed",
        subject_type="customisation",
        subject_ref=str(row.id),
        facts={"from": replaced, "to": sha256, **organisation_fact(row)},
    )
    changes.record_customisation_change(row, PrintChange(row.supplier_ref, printed=True))
    return row


def customisation(*, client_ref: str, customisation_id: str) -> CardCustomisation:
    """Returns the card customisation with this ten-digit id, if the supplier makes such cards or still has orders for it.
    Raises NotFound.
    """
    return _customisation(CardCustomisation.objects.visible_to(client(client_ref), Action.READ_SUPPLIED), customisation_id)


def logotype(*, client_ref: str, customisation_id: str) -> Document:
    """Returns the logotype (PNG) of such a card customisation. Raises NotFound, also without a logotype."""
    rows = CardCustomisation.objects.visible_to(client(client_ref), Action.READ_SUPPLIED).select_related("logotype")
    found = _customisation(rows, customisation_id).logotype
    if found is None:
        raise NotFound("logotype-none", "Kortanpassningen har ingen logotyp.")
    return found


def _customisation(rows: QuerySet[CardCustomisation], customisation_id: str) -> CardCustomisation:
    found = rows.filter(customisation_id=customisation_id).first()
    if found is None:
        raise policy.not_found()
    return found
