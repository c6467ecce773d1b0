"""Orders of PUK letters: the PUK of a card in use, on paper to the holder's registered address (rules/issuance 3.12)."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from authn import service as authn
from issuance.authz import Actor
from issuance.carriers import services as carriers
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.kinds import Function
from issuance.carriers.models import Carrier
from issuance.customisations.models import CardCustomisation
from issuance.orders.domain import items, rules
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import order_checks, progress, queueing, repeats
from issuance.organisations.services.holding import hold_organisations
from issuance.people.models.persons import Person
from issuance.people.ports import PersonKey, RegisterPerson
from issuance.people.services import people
from issuance.records.models.events import Event
from issuance.records.services import steps
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict, Invalid


@dataclass(frozen=True)
class Letter:
    """What is ordered: the PUK of a card, invoiced by an office of the card's organisation."""

    carrier_id: UUID
    office_id: UUID

    @property
    def content_sha256(self) -> str:
        """The hash that a repeated order must have."""
        return sha256_hex(canonical_json({"puk_of": str(self.carrier_id), "office": str(self.office_id)}))


def order_letter(*, actor: Actor, letter: Letter, idempotency_key: str) -> CardOrder:
    """Orders a letter with the PUK of an active card to its holder, and queues it for the supplier of the organisation's card
    customisation. First reads the person live: the supplier gets the registered address, or forwards the letter through the tax
    agency for a protected person.

    The same key and content return the same order; other content raises Conflict. Raises NotFound (also for a kind without PUK
    letters), Forbidden (role, own matter), Invalid (office; person deceased or without address), Conflict (the card is not
    active, has no PUK here, or has a letter under way; organisation, card customisation, or a supplier that prints no letters),
    Unavailable.
    """
    repeats.require_key(idempotency_key)
    if known := repeats.earlier(actor, letter.content_sha256, idempotency_key):
        return known
    seen = _allowed(actor, _cards(), letter.carrier_id)
    _require_usable(seen)
    person_id = people.person_id_of(seen.holder_id)
    register = people.read_register(PersonKey(person_id.kind.value, person_id.value))
    people.remember_person(person_id=seen.holder_id, register=register)
    _require_recipient(register)
    try:
        return _place(actor, letter, idempotency_key)
    except IntegrityError as error:
        if repeats.is_repeat(error) and (known := repeats.earlier(actor, letter.content_sha256, idempotency_key)):
            return known
        raise


def to_order(*, actor: Actor, carrier_id: UUID) -> tuple[Carrier, str]:
    """Returns the card that `actor` may order a letter for, and why it gets none now, or "". Reads nothing live. Raises NotFound
    (also for a kind without PUK), Forbidden (role, own matter).
    """
    card = _allowed(actor, _cards(), carrier_id)
    try:
        _require_usable(card)
        _require_none_under_way(card)
        _customisation(card)
    except Conflict as obstacle:
        return card, obstacle.message
    offices = order_checks.open_offices(card.organisation_id)
    return card, "" if offices else "Organisationen har inget öppet kontor. Be din utgivare koppla ett kontor."


def last_sent(card: Carrier) -> dt.datetime | None:
    """Returns when the newest of the card's sent letters was ordered, or None. The caller has checked the card."""
    sent = OrderItem.objects.filter(puk_of=card, state=items.ItemState.SENT.value)
    return sent.order_by("-order__ordered_at").values_list("order__ordered_at", flat=True).first()


@transaction.atomic(durable=True)
def _place(actor: Actor, letter: Letter, idempotency_key: str) -> CardOrder:
    list(Person.objects.select_for_update(no_key=True).filter(carriers=letter.carrier_id).values_list("id"))
    hold_organisations(Carrier.objects.filter(pk=letter.carrier_id).values_list("organisation_id", flat=True))
    locked = _cards().select_for_update(of=("self",), no_key=True)
    card = _allowed(actor, locked, letter.carrier_id)
    _require_usable(card)
    _require_none_under_way(card)
    customisation = _customisation(card)
    office = order_checks.require_office(card.organisation, letter.office_id)
    order = CardOrder(
        person_id=card.holder_id,
        organisation=card.organisation,
        article=card.article,
        office=office,
        customisation=customisation,
        state=OrderState.QUEUED.value,
        ordered_by_ref=actor.ref,
        idempotency_key=idempotency_key,
        content_sha256=letter.content_sha256,
        supplier_ref=customisation.supplier_ref,
        ordered_at=clock.now().replace(microsecond=0),
    )
    named = {"puk_of": str(card.pk)}
    facts = {"article": card.article_id, "office": str(office.id), "organisation": str(card.organisation_id)}
    steps.begin([order], "submitted", actor_ref=actor.ref, facts=facts | named)
    item = OrderItem(order=order, number=1, kind=items.LETTER.code, puk_of=card, state=items.ItemState.WAITING.value)
    steps.begin([item], "ordered", actor_ref=actor.ref, facts=progress.item_facts(item) | named)
    Event.record(
        actor_ref=actor.ref,
        action="carrier.puk_letter_ordered",
        subject_type="carrier",
        subject_ref=str(card.pk),
        facts={"order": str(order.pk)},
    )
    queueing.queued(order)
    return order


def _allowed(actor: Actor, rows: QuerySet[Carrier], carrier_id: UUID) -> Carrier:
    """Returns the card if its kind has the function and the actor the right. Raises NotFound, Forbidden (role, own matter)."""
    return carriers.get(actor, Function.ORDER_PUK_LETTER, rows, carrier_id)


def _cards() -> QuerySet[Carrier]:
    return Carrier.objects.select_related("organisation__area", "article").defer("card_key_spki")


def _require_usable(card: Carrier) -> None:
    """Raises Conflict unless the card is active and the portal has its PUK. A card that was only sent gets no letter: its code is
    chosen at a visit, with identification.
    """
    if card.state != CarrierState.ACTIVE or card.valid_to <= clock.now():
        raise Conflict("carrier-not-active", "Ett brev med upplåsningskoden kan bara beställas till ett aktivt kort.")
    sealed = card.puk_secret_id is not None and pki.secret_state(card.puk_secret_id) == "sealed"
    if not sealed:
        raise Conflict("puk-not-kept", "Portalen har inte kortets upplåsningskod. Beställ ett nytt kort om koden är glömd.")


def _require_none_under_way(card: Carrier) -> None:
    if OrderItem.objects.filter(puk_of=card, state__in=items.UNSENT).exists():
        raise Conflict("letter-under-way", "Ett brev med upplåsningskoden är redan beställt. Vänta tills det har kommit.")


def _require_recipient(register: RegisterPerson) -> None:
    """Raises Invalid if the letter cannot reach the holder."""
    if register.deceased:
        message = "Personen är avliden enligt personregistret. Brevet kan inte beställas."
        raise Invalid(rules.Obstacle.DECEASED.value, message, fields={"person": [message]})
    if register.registered_address is None and not register.is_protected:
        message = "Personen saknar folkbokföringsadress, dit brevet ska skickas."
        raise Invalid(rules.Obstacle.NO_ADDRESS.value, message, fields={"person": [message]})


def _customisation(card: Carrier) -> CardCustomisation:
    """Returns the customisation whose supplier prints the letter. Raises Conflict."""
    found = order_checks.require_customisation(card.organisation)
    if not authn.letter_certificate(found.supplier_ref):
        message = "Kortleverantören skriver inte ut brev med upplåsningskod. Lås upp kortet hos en ID-administratör i stället."
        raise Conflict("supplier-without-letters", message)
    return found
