"""Cards and mobile eIDs with certificates issued in another system: before this portal, or by another CA. Only serial numbers are
recorded.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from issuance.articles.models import Article
from issuance.authz import Action, Actor, client, policy
from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from issuance.carriers.domain.eid_states import EidAction, EidState
from issuance.carriers.domain.kinds import CARD_PROFILES, HSA_PROFILES, MOBILE_EID
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.orders.domain.items import ItemAction
from issuance.orders.services import progress
from issuance.orders.services.ordering import eid_of_post
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Post
from issuance.records.domain.ids import parse_card_serial
from issuance.records.services import steps
from issuance.suppliers.services.card_certificates import eid_valid_to
from issuance.suppliers.services.item_rows import lock_item, require_accepted
from issuance.suppliers.services.supplier_events import replay_parked
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

MOBILE_PROFILES = MOBILE_EID.profiles()
"""The certificate profiles of mobile eIDs."""


@dataclass(frozen=True)
class MigratedCard:
    """A card in use when the portal replaced the earlier one. `certificate_serials` has a hexadecimal serial number for each of
    the four profiles.
    """

    post_id: UUID
    article_code: str
    card_serial: str = field(repr=False)
    valid_from: dt.datetime
    valid_to: dt.datetime
    eid_valid_from: dt.datetime
    eid_valid_to: dt.datetime
    activated_at: dt.datetime
    certificate_serials: Mapping[str, str] = field(repr=False)
    mifare_id: str = ""


@dataclass(frozen=True)
class MigratedMobile:
    """A mobile eID in use when the portal replaced the earlier one. `device` is its holder's name of the device.
    `certificate_serials` has a hexadecimal serial number for each profile of the kind.
    """

    post_id: UUID
    device: str
    valid_from: dt.datetime
    valid_to: dt.datetime
    activated_at: dt.datetime
    certificate_serials: Mapping[str, str] = field(repr=False)


def register_migrated_card(*, actor: Actor, card: MigratedCard, ca: str) -> Carrier:
    """Records one card as `register_migrated_cards`, and returns its carrier, also if it already existed."""
    register_migrated_cards(actor=actor, cards=[card], ca=ca)
    return Carrier.objects.get(card_serial=card.card_serial)


@transaction.atomic(durable=True)
def register_migrated_cards(*, actor: Actor, cards: Sequence[MigratedCard], ca: str) -> int:
    """Records cards in use: carrier and eID ACTIVE, no receipt in this portal, four serial-only certificates under `ca`; all
    cards or none. A card whose serial number is already recorded for the same person stays as it is. Returns how many are new.
    Raises NotFound if an assignment is outside the actor's scope, Invalid (serial, times), Conflict (serial of another person's
    card).
    """
    posts = _posts(actor, {card.post_id for card in cards})
    for card in cards:
        _check(card)
    codes = {card.article_code for card in cards}
    if Article.objects.filter(code__in=codes).count() != len(codes):
        raise Invalid("unknown-article", "Artikeln finns inte.", fields={"article": ["Artikeln finns inte."]})
    known = {row.card_serial: row for row in Carrier.objects.filter(card_serial__in=[card.card_serial for card in cards])}
    for card in cards:
        if (found := known.get(card.card_serial)) and found.person_id != posts[card.post_id].person_id:
            raise Conflict("card-already-bound", "Kortserienumret hör redan till ett annat kort.")
    new = {card.card_serial: card for card in cards if card.card_serial not in known}
    pairs = [_rows(card, posts[card.post_id]) for card in new.values()]
    record([carrier for carrier, _ in pairs], [eid for _, eid in pairs], actor=actor)
    certified = [each for carrier, eid in pairs for each in _of_card(carrier, eid, new[carrier.card_serial].certificate_serials)]
    _certify(certified, ca=ca, actor_ref=actor.ref)
    return len(pairs)


def record(carriers: Sequence[Carrier], eids: Sequence[Eid], *, actor: Actor) -> None:
    """Inserts cards and eIDs of another system with their events, in the caller's transaction, which has checked them.

    Their holders are found in the organisations of both from then on.
    """
    steps.begin(carriers, "migrated", actor_ref=actor.ref, facts=_carrier_facts)
    steps.begin(eids, "migrated", actor_ref=actor.ref, facts=_eid_facts)
    PersonScope.objects.refresh([carrier.holder_id for carrier in carriers])


@transaction.atomic(durable=True)
def register_migrated_mobile(*, actor: Actor, mobile: MigratedMobile, ca: str) -> Carrier:
    """Records a mobile eID in use: a carrier ACTIVE, no receipt in this portal, serial-only certificates under `ca`. Raises
    NotFound if the assignment is outside the actor's scope, Invalid (certificates, times), Conflict (a serial number is known).
    """
    post = _posts(actor, {mobile.post_id})[mobile.post_id]
    _check_profiles(mobile.certificate_serials, MOBILE_PROFILES)
    if not mobile.valid_from <= mobile.activated_at < mobile.valid_to or mobile.activated_at > clock.now():
        message = "Tiderna för Mobilt SITHS stämmer inte med varandra."
        raise Invalid("migrated-times", message, fields={"activated_at": [message]})
    carrier = Carrier(
        kind=MOBILE_EID.code, origin="migrated", person_id=post.person_id, organisation=post.organisation, device=mobile.device,
        state=CarrierState.ACTIVE.value, valid_from=mobile.valid_from, valid_to=mobile.valid_to,
        activated_at=mobile.activated_at, created_at=clock.now(),
    )  # fmt: skip
    record([carrier], [], actor=actor)
    serials = [(profile, mobile.certificate_serials[profile]) for profile in MOBILE_PROFILES]
    _certify([_Certified(carrier, None, *each) for each in serials], ca=ca, actor_ref=actor.ref)
    return carrier


@transaction.atomic(durable=True)
def bind_externally_certified_card(
    *, client_ref: str, order_id: UUID, card_serial: str, certificate_serials: Mapping[str, str], ca: str
) -> None:
    """Binds a card certified by another CA to the supplier's accepted order, which goes into production. A repeated call
    changes nothing. Such a card has no card key and no PUK. Raises NotFound, Invalid, Conflict.
    """
    actor = client(client_ref)
    serial = _serial(card_serial)
    _check_profiles(certificate_serials)
    rows = lock_item(actor, Action.SUPPLY, order_id)
    require_accepted(rows.order)
    carrier = rows.carrier
    if carrier.card_serial == serial and not carrier.card_key_sha256:
        return
    if carrier.card_serial or Carrier.objects.filter(card_serial=serial).exists():
        raise Conflict("card-already-bound", "Kortserienumret eller beställningen har redan ett annat kort.")
    eid = Eid.objects.select_related("post").get(item=rows.item)
    now = clock.now().replace(microsecond=0)
    valid_to = eid_valid_to(carrier, eid.post, now)
    facts = {"order": str(rows.order.id), "card_serial": serial}
    steps.step([carrier], CarrierAction.BIND_SERIAL, actor_ref=actor.ref, facts=facts, card_serial=serial)
    eids = [row for row in rows.eids if row.pk == eid.pk]
    steps.step(eids, EidAction.PLAN_CERTIFICATES, actor_ref=actor.ref, facts={"ca": ca}, valid_from=now, valid_to=valid_to)
    _certify(_of_card(carrier, eids[0], certificate_serials), ca=ca, actor_ref=actor.ref)
    produced = {"card_serial": serial, "ca": ca}
    progress.step_items(rows.order, [rows.item], ItemAction.START_PRODUCTION, actor_ref=actor.ref, facts=produced)
    replay_parked(actor, rows)


def _posts(actor: Actor, ids: set[UUID]) -> dict[UUID, Post]:
    """Returns the assignments, each checked for scope (S11). Raises NotFound if one is hidden or missing."""
    rows = Post.objects.visible_to(actor, Action.REGISTER_MIGRATED_CARD).filter(pk__in=ids).select_related("organisation")
    found = {row.id: row for row in rows}
    if set(found) != ids:
        raise policy.not_found()
    return found


def _check(card: MigratedCard) -> None:
    _serial(card.card_serial)
    _check_profiles(card.certificate_serials)
    in_order = card.valid_from <= card.eid_valid_from <= card.activated_at < card.eid_valid_to <= card.valid_to
    if not in_order or card.activated_at > clock.now():
        message = "Kortets och SITHS eID:s tider stämmer inte med varandra."
        raise Invalid("migrated-times", message, fields={"activated_at": [message]})


def _check_profiles(serials: Mapping[str, str], profiles: Collection[str] = CARD_PROFILES) -> None:
    if set(serials) != set(profiles):
        message = "Ange serienumret för vart och ett av certifikaten."
        raise Invalid("certificate-serials", message, fields={"certificate_serials": [message]})


def _serial(text: str) -> str:
    try:
        return parse_card_serial(text)
    except ValueError:
        message = "Kortserienumret ska vara 19 siffror."
        raise Invalid("card-serial", message, fields={"card_serial": [message]}) from None


def _rows(card: MigratedCard, post: Post) -> tuple[Carrier, Eid]:
    now = clock.now()
    carrier = Carrier(
        origin="migrated",
        person_id=post.person_id,
        organisation=post.organisation,
        article_id=card.article_code,
        state=CarrierState.ACTIVE.value,
        card_serial=card.card_serial,
        mifare_id=card.mifare_id,
        valid_from=card.valid_from,
        valid_to=card.valid_to,
        activated_at=card.activated_at,
        created_at=now,
    )
    eid = eid_of_post(post, carrier)
    eid.state, eid.created_at = EidState.ACTIVE.value, now
    eid.valid_from, eid.valid_to, eid.activated_at = card.eid_valid_from, card.eid_valid_to, card.activated_at
    return carrier, eid


def _carrier_facts(carrier: Carrier) -> dict[str, str]:
    return {"card_serial": carrier.card_serial, "person": str(carrier.person_id), "activated_at": _text(carrier.activated_at)}


def _eid_facts(eid: Eid) -> dict[str, str]:
    return {"hsa_id": eid.hsa_id, "carrier": str(eid.carrier_id), "activated_at": _text(eid.activated_at)}


def _text(moment: dt.datetime | None) -> str:
    return moment.isoformat() if moment else ""


@dataclass(frozen=True)
class _Certified:
    """A certificate of a carrier: it ends with the `eid`, or with a carrier that bears none."""

    carrier: Carrier
    eid: Eid | None
    profile: str
    serial: str


def _of_card(carrier: Carrier, eid: Eid, serials: Mapping[str, str]) -> list[_Certified]:
    return [_Certified(carrier, eid, profile, serials[profile]) for profile in CARD_PROFILES]


def _certify(certificates: Sequence[_Certified], *, ca: str, actor_ref: str) -> None:
    """Records the certificates under a CA that only publishes status."""
    ids = pki.plan_serial_only((_serial_only(each) for each in certificates), ca=ca, actor_ref=actor_ref)
    CarrierCertificate.objects.bulk_create(
        [
            CarrierCertificate(
                certificate_id=certificate_id,
                carrier=each.carrier,
                eid=each.eid if each.profile in HSA_PROFILES else None,
                profile=each.profile,
            )
            for certificate_id, each in zip(ids, certificates, strict=True)
        ],
        batch_size=1000,
    )


def _serial_only(each: _Certified) -> pki.SerialOnly:
    period = each.eid or each.carrier
    if period.valid_from is None or period.valid_to is None:
        raise ValueError(f"the eID on carrier {each.carrier.pk} has no period")
    return pki.SerialOnly(
        serial=each.serial,
        not_before=period.valid_from,
        not_after=period.valid_to,
        subject_ref=f"person:{each.carrier.person_id}",
        carrier_ref=carrier_ref(each.carrier.id),
        unit_ref=f"organisation:{period.organisation_id}",
    )
