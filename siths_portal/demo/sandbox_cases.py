"""The cases of `make sandbox`: what happens to each order, what its supplier is expected to do, and how the order then ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from issuance.authz import Actor
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import ordering
from issuance.records.models.events import Event
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from pki import service as pki
from siths_portal.demo import sandbox_bundle, sandbox_print

type Act = Callable[[Actor, CardOrder], object]


def nothing(_clerk: Actor, _order: CardOrder) -> None:
    """Does nothing."""


def _never(_order: CardOrder) -> bool:
    return False


def _always(_order: CardOrder) -> bool:
    return True


@dataclass(frozen=True)
class Case:
    """A case. `happens` and `expected` are sentences for the supplier's engineers.

    `letter` means that the order is for a PUK letter of a card in use, `bundle` that it is for reserve cards without a holder.
    `register` has the values that the person register gets after the order. `at_once` is done when the order is made, `act` when
    `due` is true. The case is right if the order ends as `ends` and `proof` is true; `unproven` says what is wrong if it is not.
    """

    code: str
    happens: str
    expected: str
    ends: OrderState
    article: str = "631"
    own_print: bool = False
    letter: bool = False
    bundle: bool = False
    register: Mapping[str, Any] = field(default_factory=dict)
    at_once: Act = nothing
    due: Callable[[CardOrder], bool] = _never
    act: Act = nothing
    proof: Callable[[CardOrder], bool] = _always
    unproven: str = ""


def _withdraw(clerk: Actor, order: CardOrder) -> None:
    ordering.cancel_order(actor=clerk, order_id=order.pk)


def _revoke(clerk: Actor, order: CardOrder) -> None:
    revocation.revoke_carrier(actor=clerk, carrier_id=order.carrier_id, reason=RevocationReason.ASSIGNMENT_ENDED.value)


def _is_in(*states: OrderState) -> Callable[[CardOrder], bool]:
    return lambda order: order.state in states


def _had_refused_puk(order: CardOrder) -> bool:
    return Event.objects.filter(subject_type="order", subject_ref=str(order.pk), action="order.puk_refused").exists()


def _certificates(order: CardOrder) -> list[pki.CertificateView]:
    ids: list[UUID] = list(order.carrier.certificates.values_list("certificate_id", flat=True))
    return list(pki.certificates(ids))


def _has_p256_keys(order: CardOrder) -> bool:
    keys = [x509.load_der_x509_certificate(view.der).public_key() for view in _certificates(order) if view.der]
    return bool(keys) and all(isinstance(key, ec.EllipticCurvePublicKey) for key in keys)


def _was_made_again(order: CardOrder) -> bool:
    return order.items.count() > 1


def _had_certificates(order: CardOrder) -> bool:
    return bool(_certificates(order))


_MAKE = "Make the card and report it sent."

CASES = (
    Case("ordinary", "A card by letter.", _MAKE, OrderState.SENT),
    Case(
        "photo",
        "An article with photo.",
        "Read the photo, compare its SHA-256 with photo_sha256, print it, and report the card sent.",
        OrderState.SENT,
        article="677",
    ),
    Case(
        "p256",
        "Article 610, for which P-256 keys are agreed here. The API takes RSA-2048 too: supplier and operator agree on the type.",
        "Make all four keys on P-256, and report the card sent.",
        OrderState.SENT,
        article="610",
        proof=_has_p256_keys,
        unproven="Not all its keys are on P-256.",
    ),
    Case(
        "registered-mail",
        "An article by registered mail.",
        "Report the card sent with registered_mail_id. Without it the report is refused (422).",
        OrderState.SENT,
        article="631-REK",
    ),
    Case(
        "protected",
        "The holder is a protected person.",
        "The delivery has no address and forwarding is true: send the card through Skatteverkets förmedlingsuppdrag.",
        OrderState.SENT,
        register={"protected_population_record": True, "registered_address": None},
    ),
    Case(
        "puk-refused",
        "The supplier tests its handling of a refused PUK.",
        "Send a PUK that is not 8 to 16 digits. Wait for puk refused, report produced again with a good PUK, and report sent.",
        OrderState.SENT,
        proof=_had_refused_puk,
        unproven="No PUK of it was refused.",
    ),
    Case(
        "new-print",
        "The text on the customer's cards has changed. The order is not in the queue until the issuer has verified the text; a "
        "client that accepts it before is refused (409 customisation-not-verified).",
        f"Put a new logotype to card customisation {sandbox_print.CUSTOMISATION.customisation_id}. The issuer then verifies it. "
        "Make the card and report it sent.",
        OrderState.SENT,
        own_print=True,
        at_once=sandbox_print.change,
        due=sandbox_print.is_put,
        act=sandbox_print.verify,
    ),
    Case(
        "withdrawn",
        "The customer withdraws the order before it is accepted.",
        "Make no card. The order is not in the queue; a client that accepts it is refused (409 order-withdrawn).",
        OrderState.CANCELLED,
        at_once=_withdraw,
    ),
    Case(
        "revoked-early",
        "The customer revokes the card after the order is accepted.",
        "Changes and items say so (card_revoked); a request for certificates is refused (409 carrier-revoked). Report failed.",
        OrderState.FAILED,
        due=_is_in(OrderState.ACCEPTED, OrderState.IN_PRODUCTION, OrderState.PRODUCED),
        act=_revoke,
    ),
    Case(
        "revoked-late",
        "The customer revokes the card when it has certificates.",
        "card_revoked is true. Destroy the card and report failed.",
        OrderState.FAILED,
        due=_is_in(OrderState.IN_PRODUCTION, OrderState.PRODUCED),
        act=_revoke,
        proof=_had_certificates,
        unproven="It ended before it had certificates.",
    ),
    Case(
        "deceased",
        "The person dies after the order.",
        "Reading the order is refused (409 person-deceased). Report failed.",
        OrderState.FAILED,
        register={"deceased": True},
    ),
    Case(
        "no-address",
        "The person has no registered address after the order.",
        "Reading the order is refused (409 no-registered-address). Report failed.",
        OrderState.FAILED,
        register={"registered_address": None},
    ),
    Case(
        "spoilt",
        "The card is spoilt when it has certificates.",
        "Ask for a remake. The portal revokes the certificates and adds an item. Make that one, and report it sent.",
        OrderState.SENT,
        proof=_was_made_again,
        unproven="It was not made again.",
    ),
    Case(
        "cannot-be-made",
        "The supplier cannot make the card.",
        "Report failed with a reason of your own.",
        OrderState.FAILED,
    ),
    Case(
        "returned",
        "The post returns the letter.",
        "Report the card sent, and then returned.",
        OrderState.RETURNED,
    ),
    Case(
        "puk-letter",
        "The customer orders a letter with the PUK of a card in use.",
        "Read the PUK, which is handed out once, print it, and report the letter produced and sent. If the answer is lost, ask "
        "for a remake.",
        OrderState.SENT,
        letter=True,
    ),
    Case(
        "bundle",
        "The customer orders three reserve cards, which are blank and go together to an office.",
        "Read the order's items, three of kind reserve_card. Make each card with one certificate, for the profile transport, "
        "report each item produced with mifare_id and no_puk, pack the cards together, and report each item sent.",
        OrderState.SENT,
        bundle=True,
        proof=sandbox_bundle.is_sent_whole,
        unproven="Not all its cards were sent.",
    ),
)
"""In the order in which they are queued."""
