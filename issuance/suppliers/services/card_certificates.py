"""The card that a supplier makes for an order: bound to its carrier once, and given four certificates."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from authn import service as authn
from issuance.authz import Action, Actor, client
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from issuance.carriers.domain.eid_states import EidAction
from issuance.carriers.domain.kinds import CarrierKind, Owner, Stage
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.orders.domain import rules
from issuance.orders.domain.items import ItemAction
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import progress
from issuance.orders.services.certificate_subjects import card_subject, hsa_subject, person_id_subject, subject_alternative
from issuance.orders.services.order_checks import top_organisation
from issuance.orders.services.ordering import post_ends_at
from issuance.people.models.persons import Person, Post
from issuance.people.services import people
from issuance.records.domain.ids import parse_new_card_serial
from issuance.records.services import steps
from issuance.suppliers.services import attestations
from issuance.suppliers.services.item_rows import ItemRows, lock_item, require_accepted
from issuance.suppliers.services.supplier_events import replay_parked
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, DomainError, Invalid

_ENDED = {
    CarrierState.REVOKED: (
        "carrier-revoked",
        "Kortet är spärrat. Tillverka inget kort och rapportera beställningen som misslyckad.",
    ),
    CarrierState.CANCELLED: ("order-closed", "Beställningen är avslutad. Inga certifikat utfärdas för den."),
}
"""Errors for a card that ended before it was certified."""


@dataclass(frozen=True)
class CardRequest:
    """A card for an item of an order: its serial number, the DER of its card key, the DER of a certificate request by profile,
    and attestations of the keys (`key_attestations`). `item` is the item's number; None means the only one.
    """

    order_id: UUID
    card_serial: str
    card_key_spki: bytes
    csrs: Mapping[str, bytes]
    item: int | None = None
    attestations: Sequence[str] = ()


@transaction.atomic(durable=True)
def request_certificates(
    *,
    client_ref: str,
    order_id: UUID,
    card_serial: str,
    card_key_spki: bytes,
    csrs: Mapping[str, bytes],
    item: int | None = None,
    attestations: Sequence[str] = (),
) -> list[UUID]:
    """Binds the card to the carrier of an item of the accepted order and plans its certificates, in one transaction. `item` is
    the item's number; None means the only one.

    `csrs` has a DER request for each certificate that a card of this kind gets during production, with keys of one type.
    `card_key_spki` is the DER of a P-256 key. `attestations` name these keys if the supplier's row demands it. Returns the ids in
    the order of the kind's declaration; a repeated call returns the same ids. An error names the request as a field
    (`csrs.person-hsaid-auth`). Raises NotFound, Invalid, Conflict (an order that is not accepted, was withdrawn or failed; a
    revoked card; other content than before; a card or key bound to another order).
    """
    request = CardRequest(order_id, card_serial, card_key_spki, csrs, item, attestations)
    return _request(client_ref, request, authn.key_attestation(client_ref))


@transaction.atomic(durable=True)
def request_batch(*, client_ref: str, requests: Sequence[CardRequest]) -> list[list[UUID] | DomainError]:
    """Does what `request_certificates` does for each request, and wakes the signer once, so that it signs them together.

    Returns for each request its ids, or the error that it raised. A refused request changes nothing and does not stop the others.
    Locks the carriers first and takes the orders by id, so that batches and single calls do not wait for each other in a circle.
    """
    _lock_carriers(client_ref, requests)
    demanded = authn.key_attestation(client_ref)
    outcomes: dict[int, list[UUID] | DomainError] = {}
    for place in sorted(range(len(requests)), key=lambda place: (requests[place].order_id, place)):
        try:
            with transaction.atomic():
                outcomes[place] = _request(client_ref, requests[place], demanded, wake=False)
        except DomainError as error:
            outcomes[place] = error
    ids = [outcome for outcome in outcomes.values() if not isinstance(outcome, DomainError)]
    pki.wake_signer([id_ for of_card in ids for id_ in of_card])
    return [outcomes[place] for place in range(len(requests))]


def _lock_carriers(client_ref: str, requests: Sequence[CardRequest]) -> None:
    """Locks the carriers of all requests, by id. Of an order without a named item, all its carriers."""
    orders = CardOrder.objects.visible_to(client(client_ref), Action.SUPPLY).filter(pk__in=[each.order_id for each in requests])
    named = Q(item__number__in={each.item for each in requests if each.item is not None})
    whole = Q(item__order__in=[each.order_id for each in requests if each.item is None])
    rows = Carrier.objects.select_for_update(of=("self",), no_key=True).filter(named | whole, item__order__in=orders)
    list(rows.order_by("pk").values_list("pk", flat=True))


def planned_ids(*, client_ref: str, order_ids: Iterable[UUID]) -> dict[UUID, dict[int, list[UUID]]]:
    """Returns the ids of the certificates planned for the supplier's orders, by order and item. Leaves out items without any."""
    orders = CardOrder.objects.visible_to(client(client_ref), Action.SUPPLY).filter(pk__in=list(order_ids))
    rows = CarrierCertificate.objects.filter(carrier__item__order__in=orders).order_by("certificate_id")
    found: defaultdict[UUID, defaultdict[int, list[UUID]]] = defaultdict(lambda: defaultdict(list))
    for order_id, number, id_ in rows.values_list("carrier__item__order_id", "carrier__item__number", "certificate_id"):
        found[order_id][number].append(id_)
    return {order_id: dict(items) for order_id, items in found.items()}


def _request(client_ref: str, request: CardRequest, demanded: authn.KeyAttestation, *, wake: bool = True) -> list[UUID]:
    try:
        serial = parse_new_card_serial(request.card_serial)
    except ValueError:
        message = "Kortserienumret ska vara 19 siffror, varav den sista är kontrollsiffra."
        raise Invalid("card-serial", message, fields={"card_serial": [message]}) from None
    _check_card_key(request.card_key_spki, request.csrs)
    attestations.require(demanded, request.attestations, request.card_key_spki, request.csrs)
    card = _Card(serial, request.card_key_spki, request.csrs)
    try:
        return _bind(client_ref, request.order_id, request.item, card, wake=wake)
    except IntegrityError as error:
        if "issuance_one_carrier_per" not in str(error):
            raise
        message = "Kortserienumret eller kortnyckeln hör redan till en annan beställning."
        raise Conflict("card-already-bound", message) from None


@dataclass(frozen=True)
class _Card:
    serial: str
    key_spki: bytes
    csrs: Mapping[str, bytes]

    @property
    def key_sha256(self) -> str:
        return sha256_hex(self.key_spki)

    def csr_sha256(self, profile: str) -> str:
        return sha256_hex(self.csrs[profile])


def _bind(client_ref: str, order_id: UUID, item: int | None, card: _Card, *, wake: bool) -> list[UUID]:
    actor = client(client_ref)
    rows = lock_item(actor, Action.SUPPLY, order_id, item)
    carrier, card_order = rows.carrier, rows.order
    kind = kinds.kind_of(carrier.kind)
    if set(card.csrs) != set(kind.profiles(stage=Stage.PERSONALISATION)):
        message = "Skicka en certifikatbegäran för var och en av kortets profiler."
        raise Invalid("csrs", message, fields={"csrs": [message]})
    require_accepted(card_order)
    if not carrier.card_serial and (refusal := _ENDED.get(CarrierState(carrier.state))):
        raise Conflict(*refusal)
    if carrier.card_serial:
        ids = _earlier_ids(carrier, card)
        replay_parked(actor, rows)
        return ids
    now = clock.now().replace(microsecond=0)
    eid = Eid.objects.select_related("post", "organisation").get(pk=rows.item.eid_id) if rows.item.eid_id else None
    valid_to = eid_valid_to(carrier, eid.post, now) if eid else carrier.valid_to
    if (eid is not None and eid.post.ended_at is not None) or valid_to <= now:
        raise Conflict("post-ended", "Uppdraget har upphört sedan kortet beställdes. Rapportera beställningen som misslyckad.")
    facts = {"order": str(card_order.id), "card_serial": card.serial}
    steps.step(
        [carrier],
        CarrierAction.BIND_SERIAL,
        actor_ref=actor.ref,
        facts=facts,
        card_serial=card.serial,
        card_key_spki=card.key_spki,
        card_key_sha256=card.key_sha256,
    )
    planned = _plan(actor, kind, rows, eid, card, valid_to, wake=wake)
    if eid is not None:
        of_eid = {name: str(planned[name]) for name in kind.profiles(Owner.EID, Stage.PERSONALISATION)}
        steps.step(
            [row for row in rows.eids if row.pk == eid.pk],
            EidAction.PLAN_CERTIFICATES,
            actor_ref=actor.ref,
            facts={"certificates": of_eid},
            valid_from=now,
            valid_to=valid_to,
        )
    _store_certificates(planned, carrier, eid, card)
    certified = {"card_serial": card.serial, "certificates": {profile: str(id_) for profile, id_ in planned.items()}}
    progress.step_items(card_order, [rows.item], ItemAction.START_PRODUCTION, actor_ref=actor.ref, facts=certified)
    replay_parked(actor, rows)
    return list(planned.values())


def _plan(
    actor: Actor, kind: CarrierKind, rows: ItemRows, eid: Eid | None, card: _Card, valid_to: dt.datetime, *, wake: bool
) -> dict[str, UUID]:
    """Plans the certificates of the card, and returns their ids by profile, in the order of the kind's declaration."""
    carrier = rows.carrier
    if eid is not None:
        orders = _certificate_orders(kind, carrier, eid, card, valid_to)
    else:
        orders = _transport_orders(kind, carrier, card, valid_to)
    ids = pki.plan_certificates(
        orders,
        actor_ref=actor.ref,
        unit_ref=f"organisation:{rows.order.organisation_id}",
        whole=True,
        held=kind.held_until_code,
        wake=wake,
    )
    return dict(zip(kind.profiles(stage=Stage.PERSONALISATION), ids, strict=True))


def eid_valid_to(carrier: Carrier, post: Post, issued_at: dt.datetime) -> dt.datetime:
    """Returns the end of an eID for the assignment on the carrier: the earliest of the policy's end, the card's and the
    assignment's.
    """
    return rules.eid_valid_to(
        issued_at=issued_at,
        policy_years=getattr(settings, kinds.kind_of(carrier.kind).eid_years),
        card_valid_to=carrier.valid_to,
        post_ends_at=post_ends_at(post),
    )


def _store_certificates(planned: Mapping[str, UUID], carrier: Carrier, eid: Eid | None, card: _Card) -> None:
    CarrierCertificate.objects.bulk_create(
        CarrierCertificate(
            certificate_id=certificate_id,
            carrier=carrier,
            eid=eid if kinds.kind_of(carrier.kind).certificate(profile).owner is Owner.EID else None,
            profile=profile,
            csr_sha256=card.csr_sha256(profile),
        )
        for profile, certificate_id in planned.items()
    )


def _earlier_ids(carrier: Carrier, card: _Card) -> list[UUID]:
    """Returns the ids of the earlier call if this call has the same content. Raises Conflict if not."""
    asked = CarrierCertificate.objects.filter(carrier=carrier, profile__in=list(card.csrs)).exclude(csr_sha256="")
    rows = {row.profile: row for row in asked}
    same_card = carrier.card_serial == card.serial and carrier.card_key_sha256 == card.key_sha256
    if not same_card or any(rows[profile].csr_sha256 != card.csr_sha256(profile) for profile in card.csrs):
        message = "Certifikat är redan begärda för beställningen med andra uppgifter."
        raise Conflict("certificates-already-requested", message)
    profiles = kinds.kind_of(carrier.kind).profiles(stage=Stage.PERSONALISATION)
    return [rows[profile].certificate_id for profile in profiles]


def _certificate_orders(
    kind: CarrierKind, carrier: Carrier, eid: Eid, card: _Card, valid_to: dt.datetime
) -> list[pki.CertificateOrder]:
    person = Person.objects.get(pk=carrier.holder_id)
    person_id, top = people.person_id_of(person.id), top_organisation(eid.organisation)
    if not person_id.is_certifiable:
        message = "Personen har inte längre personnummer eller samordningsnummer. Rapportera beställningen som misslyckad."
        raise Conflict("person-id-not-certifiable", message)
    return [
        pki.CertificateOrder(
            ca=kind.ca_of(certificate.profile, carrier.assurance_level),
            profile=certificate.profile,
            subject=hsa_subject(person, eid, top) if certificate.owner is Owner.EID else person_id_subject(person, person_id),
            subject_alternative=subject_alternative(eid, certificate.profile),
            csr_der=card.csrs[certificate.profile],
            subject_ref=f"person:{person.id}",
            carrier_ref=carrier_ref(carrier.id),
            card_number=card.serial,
            not_after=valid_to,
            key_field=f"csrs.{certificate.profile}",
        )
        for certificate in kind.certificates
        if certificate.stage is Stage.PERSONALISATION
    ]


def _transport_orders(kind: CarrierKind, carrier: Carrier, card: _Card, valid_to: dt.datetime) -> list[pki.CertificateOrder]:
    """Returns the orders for a card without a holder, whose certificates name the card only."""
    return [
        pki.CertificateOrder(
            ca=kind.ca_of(profile, carrier.assurance_level),
            profile=profile,
            subject=card_subject(card.serial),
            subject_alternative={},
            csr_der=card.csrs[profile],
            subject_ref=carrier_ref(carrier.id),
            carrier_ref=carrier_ref(carrier.id),
            card_number=card.serial,
            not_after=valid_to,
            key_field=f"csrs.{profile}",
        )
        for profile in kind.profiles(stage=Stage.PERSONALISATION)
    ]


def _check_card_key(spki: bytes, csrs: Mapping[str, bytes]) -> None:
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        message = "Kortnyckeln ska vara en publik nyckel på P-256 (SubjectPublicKeyInfo)."
        raise Invalid("card-key", message, fields={"card_key": [message]})
    if any(spki in csr for csr in csrs.values()):
        message = "Kortnyckeln ska vara en egen nyckel, inte en av dem som certifieras."
        raise Invalid("card-key", message, fields={"card_key": [message]})
