"""Binds a reserve card to a person, for ever: a card in stock at an office of the organisation, or the person's own used card.

The database keeps the holder of a carrier once it has one (trigger `issuance_carrier_holder_once`), and a serial number belongs
to one carrier (`issuance_one_carrier_per_serial`).
"""

import re

from django.db.models import Q

from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import RESERVE_CARD
from issuance.carriers.models import Carrier, Eid
from issuance.orders.services import order_checks
from issuance.orders.services.ordering import eid_of_post
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Post
from issuance.records.services import steps
from issuance.reserve_cards.domain import OPEN
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.stock.domain import StockAction, StockState
from issuance.stock.models import StockCard
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

_SEPARATORS = re.compile(r"[\s.-]+")


def not_usable() -> Invalid:
    """Returns the error for a card that cannot be handed out. It does not tell why, since others' cards are no business here."""
    message = (
        "Kortet kan inte lämnas ut. Det finns inte i lager på ett kontor som organisationen är kopplad till. Är bunten ny tar du "
        "emot den under Reservkort. Annars ta ett annat kort."
    )
    return Invalid("card-not-usable", message, fields={"card_serial": [message]})


def serial_of(scanned: str) -> str:
    """Returns a serial number as it is stored, from what was scanned or typed."""
    return _SEPARATORS.sub("", scanned)


def lock_usable(card_serial: str, post: Post) -> Carrier:
    """Locks and returns the card with this serial number, as scanned, if it can be handed out for the assignment.

    That is a card in stock at an open office that is connected to the assignment's organisation, or the person's own active
    reserve card without a valid eID; and no other hand-out of it is open. Raises Invalid at `card_serial`.
    """
    serial = serial_of(card_serial)
    rows = Carrier.objects.select_for_update(of=("self",), no_key=True).filter(card_serial=serial, kind=RESERVE_CARD.code)
    carrier = rows.exclude(card_serial="").filter(valid_to__gt=clock.now()).first()
    if carrier is None or not (_lies_in_stock(carrier, post) or _is_own(carrier, post)):
        raise not_usable()
    if ReserveCardIssue.objects.filter(carrier=carrier, state__in=[state.value for state in OPEN]).exists():
        raise not_usable()
    return carrier


def require_still_usable(carrier: Carrier, post: Post) -> None:
    """Raises Conflict unless a locked card can still be handed out for the assignment."""
    if carrier.valid_to <= clock.now() or not (_lies_in_stock(carrier, post) or _is_own(carrier, post)):
        raise Conflict("card-not-usable", "Kortet är inte längre i lager. Avvisa utlämningen och börja om med ett annat kort.")


def bind(issue: ReserveCardIssue, carrier: Carrier, *, actor_ref: str) -> Eid:
    """Binds a locked card to the person of the hand-out, with an ordered eID, in the caller's transaction. Returns the eID."""
    post, now = issue.post, clock.now().replace(microsecond=0)
    eid = eid_of_post(post, carrier)
    eid.assurance_level, eid.state, eid.created_at = issue.assurance_level, EidState.ORDERED.value, now
    eid.valid_from, eid.valid_to = now, issue.valid_to
    facts = {"person": str(post.person_id), "reserve_issue": str(issue.pk), "assurance_level": issue.assurance_level}
    steps.step(
        [carrier],
        CarrierAction.BIND_HOLDER,
        actor_ref=actor_ref,
        facts=facts,
        person=post.person,
        organisation=post.organisation,
        assurance_level=issue.assurance_level,
        code_set_at=None,
        code_blocked_at=None,
    )
    steps.begin([eid], "ordered", actor_ref=actor_ref, facts={"hsa_id": post.hsa_id, "carrier": str(carrier.pk)})
    lying = StockCard.objects.select_for_update(of=("self",), no_key=True).filter(
        carrier=carrier, state=StockState.IN_STOCK.value
    )
    steps.step(list(lying), StockAction.HAND_OUT, actor_ref=actor_ref, facts={"reserve_issue": str(issue.pk)})
    PersonScope.objects.refresh([post.person_id])
    return eid


def _lies_in_stock(carrier: Carrier, post: Post) -> bool:
    offices = order_checks.open_connections().filter(organisation=post.organisation_id).values("office")
    lying = StockCard.objects.filter(carrier=carrier, state=StockState.IN_STOCK.value, office__in=offices)
    return carrier.state == CarrierState.IN_STOCK and carrier.person_id is None and lying.exists()


def _is_own(carrier: Carrier, post: Post) -> bool:
    if carrier.state != CarrierState.ACTIVE or carrier.person_id != post.person_id:
        return False
    valid = Q(state=EidState.ORDERED.value) | Q(state=EidState.ACTIVE.value, valid_to__gt=clock.now())
    return not Eid.objects.filter(valid, carrier=carrier).exists()
