"""The person's page (rules/issuance 2.4): head, carriers with eIDs and orders, drafts, and functions. `next_step` tells what to
do first.

It reads nothing live: name and protection flags are those of the last read from the person register. The number of queries does
not depend on the number of carriers.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from issuance.activation.models import EidAppTransaction
from issuance.activation.queries import card_help
from issuance.activation.services import suspicions
from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import carrier_states, kinds
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.orders.domain.drafts import DraftState
from issuance.orders.domain.eid_order_states import EidOrderState
from issuance.orders.domain.items import UNSENT
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.queries import delivery_times
from issuance.orders.services import replacement_checks
from issuance.people.models.persons import Person, PersonIdentifier, Post
from issuance.people.models.photos import Photo
from issuance.person_page.queries import carrier_words, order_parts, person_functions
from issuance.person_page.queries.eid_functions import EidFunctions
from issuance.person_page.queries.page_parts import (
    CarrierView,
    CertificateLink,
    DraftView,
    EidOrderView,
    EidView,
    LetterView,
    PersonHead,
    PersonView,
)
from issuance.records.domain import wording
from issuance.records.queries import words
from issuance.revocation.models import HeldRevocation, HeldRevocationState
from issuance.revocation.queries import held_revocations
from issuance.revocation.queries.held_revocations import HeldNotice
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared

EXPIRY_WARNINGS = (30, 60, 90)
"""Days before the end at which the page warns about a card or an eID; each is a level of urgency (rules/issuance 2.4)."""

_CARRIER_INVALID = [state.value for state in carrier_states.INVALID]
_EID_VALID = [EidState.ORDERED.value, EidState.ACTIVE.value]


def person_head(*, actor: Actor, person_id: UUID | str) -> PersonHead:
    """Returns the head of every page on a person. Raises NotFound."""
    return _head(policy.get(actor, Action.VIEW, _people, person_id))


def person_view(*, actor: Actor, person_id: UUID | str, with_invalid: bool = False, opened: UUID | None = None) -> PersonView:
    """Returns the page of a person that the actor sees. It includes the carrier `opened` in any state. Raises NotFound."""
    person = policy.get(actor, Action.VIEW, _people, person_id)
    rows = _carriers(actor, person.id)
    invalid = sum(row.state in carrier_states.INVALID for row in rows)
    shown = [row for row in rows if with_invalid or row.id == opened or row.state not in carrier_states.INVALID]
    orders = {order.ordered_carrier: order for order in _orders(actor, [row.id for row in rows])}  # type: ignore[attr-defined]
    posts = _current_posts(actor, person.id)
    waiting = _eid_orders(actor, [row.id for row in rows if row.awaits_fetch])  # type: ignore[attr-defined]
    ordering = EidFunctions(actor, person, posts, waiting)
    return PersonView(
        head=_head(person),
        organisations=tuple(dict.fromkeys(post.organisation.name for post in posts)),
        undelivered=order_parts.undelivered(rows, orders),
        carriers=tuple(_assemble(actor, shown, orders, ordering)),
        drafts=_drafts(actor, person.id),
        eid_orders=tuple(_eid_order(order, ordering) for order in waiting),
        functions=tuple(person_functions.of_person(actor, person, posts)),
        invalid_count=invalid,
        shows_invalid=with_invalid,
    )


def _people(actor: Actor) -> QuerySet[Person]:
    """Returns people, annotated with the right to see their photo and when their newest one was uploaded."""
    photos = Photo.objects.filter(person=OuterRef("pk"), approved_at__isnull=False).order_by("-uploaded_at", "-id")
    rows = Person.objects.with_rights(actor, [Action.VIEW_PHOTO, Action.ASSIGN_ROLE, Action.VIEW_ACCESS_LOG])
    return rows.annotate(photographed_at=Subquery(photos.values("uploaded_at")[:1]))


@prepared
def _numbers(person_id: UUID) -> QuerySet[PersonIdentifier]:
    return PersonIdentifier.objects.filter(person=person_id, valid_to=None)


def _head(person: Person) -> PersonHead:
    number = min(_numbers(person.id), key=lambda row: row.kind != "personnummer", default=None)
    protection = (
        (person.protected_person_indicator, _("Sekretessmarkering")),
        (person.protected_population_record, _("Skyddad folkbokföring")),
    )
    sees_photo = getattr(person, f"may_{Action.VIEW_PHOTO}")
    taken = wording.day(person.photographed_at) if sees_photo else None  # type: ignore[attr-defined]
    return PersonHead(
        id=person.id,
        given_name_in_use=person.given_name_in_use,
        given_names=person.given_names,
        surname=person.surname,
        person_id=wording.person_number(number.kind, number.value) if number else "",
        person_id_kind=number.kind if number else "",
        is_protected=person.is_protected,
        protection=tuple(word for holds, word in protection if holds),
        deceased=person.deceased,
        register_read_at=person.register_read_at,
        has_photo=taken is not None,
        photo_taken=taken,
    )


@prepared
def _current_posts(actor: Actor, person_id: UUID) -> QuerySet[Post]:
    """Returns the person's current assignments that the actor sees, annotated with the rights to order a card and an eID."""
    rights = [*person_functions.order_rights(), Action.ORDER_EID]
    posts = Post.objects.with_rights(actor, rights).visible_to(actor).select_related("organisation")
    return posts.filter(Q(valid_to=None) | Q(valid_to__gte=clock.today()), person=person_id, ended_at=None)


@prepared
def _carriers(actor: Actor, person_id: UUID) -> QuerySet[Carrier]:
    """Returns the person's carriers that the actor sees, the newest first, annotated with the actor's rights."""
    valid = Eid.objects.filter(carrier=OuterRef("pk"), state__in=_EID_VALID).order_by()
    total = valid.values("carrier").annotate(total=Count("pk")).values("total")
    rows = Carrier.objects.with_rights(actor, person_functions.carrier_rights()).with_own_scope(actor).visible_to(actor)
    rows = rows.filter(person=person_id).select_related("organisation", "article")
    waiting = HeldRevocation.objects.filter(carrier=OuterRef("pk"), state=HeldRevocationState.OPEN)
    ordered = EidOrder.objects.filter(carrier=OuterRef("pk"), state=EidOrderState.ORDERED.value)
    further = ordered.filter(replaces=None).order_by().values("carrier").annotate(total=Count("pk")).values("total")
    letters = OrderItem.objects.filter(puk_of=OuterRef("pk"))
    rows = rows.annotate(
        valid_eids=Coalesce(Subquery(total, output_field=IntegerField()), 0),
        waits=Exists(waiting),
        awaits_fetch=Exists(ordered),
        additional_waiting=Coalesce(Subquery(further, output_field=IntegerField()), 0),
        has_letters=Exists(letters),
        letter_under_way=Exists(letters.filter(state__in=UNSENT)),
        is_being_replaced=Exists(replacement_checks.orders_of(OuterRef("pk"))),
        document_stop=suspicions.stop_code(OuterRef("person"), OuterRef("pk")),
    )
    return rows.defer("card_key_spki").order_by("-created_at", "-id")


@prepared
def _orders(actor: Actor, carrier_ids: list[UUID]) -> QuerySet[CardOrder]:
    """Returns the orders of carriers, annotated with the right to remove the order and with the carrier's item: the carrier's id,
    its PUK's state, its state, the item in whose place it is made, and the one that is made in its place; and with the protection
    of the person and the delivery time of the supplier.
    """
    ordered = CardOrder.objects.with_rights(actor, [Action.REMOVE_ORDER]).filter(items__carrier__in=carrier_ids)
    item = {"ordered_carrier": "carrier", "item_puk": "puk", "item_refusal": "puk_refusal"}
    item |= {"item_state": "state", "item_remakes": "replaces", "item_remade_as": "remade_as"}
    of_item = {name: F(f"items__{column}") for name, column in item.items()}
    of_item |= {"is_protected": F("person__is_protected")}
    return ordered.annotate(**of_item, working_days=delivery_times.measured()).select_related("office")


@prepared
def _eids(actor: Actor, carrier_ids: list[UUID]) -> QuerySet[Eid]:
    """Returns the eIDs on carriers that the actor sees, the oldest first, annotated with the rights to revoke and to renew."""
    visible = Eid.objects.with_rights(actor, [Action.REVOKE_EID, Action.ORDER_EID]).visible_to(actor)
    return visible.filter(carrier__in=carrier_ids).select_related("organisation", "post").order_by("created_at", "id")


@prepared
def _certificates(carrier_ids: list[UUID]) -> QuerySet[CarrierCertificate]:
    rows = CarrierCertificate.objects.filter(carrier__in=carrier_ids).exclude(made_with__state=EidState.ORDERED.value)
    return rows.order_by("profile")


def _assemble(actor: Actor, rows: list[Carrier], orders: dict[UUID, CardOrder], ordering: EidFunctions) -> Iterable[CarrierView]:
    ids = [row.id for row in rows]
    eids: dict[UUID, list[Eid]] = {}
    for eid in _eids(actor, ids):
        eids.setdefault(eid.carrier_id, []).append(eid)
    certificates: dict[tuple[UUID, UUID | None], list[CarrierCertificate]] = {}
    for certificate in _certificates(ids):
        certificates.setdefault((certificate.carrier_id, certificate.eid_id), []).append(certificate)
    # Only these states show a hold: before the card is sent its certificates may still fail, and once the code is set they are
    # released.
    waiting = {row.id for row in rows if row.state in (CarrierState.SENT, CarrierState.ACTIVATED_UNSIGNED)}
    links = [each for (carrier_id, _), found in certificates.items() if carrier_id in waiting for each in found]
    on_hold = pki.held_certificates(each.certificate_id for each in links) if links else set()
    held = {each.carrier_id for each in links if each.certificate_id in on_hold}
    transactions = card_help.latest_of([row.id for row in rows if card_help.awaits_activation(row)])
    shown_eids = [eid.id for found in eids.values() for eid in found]
    letters = _letters(actor, [row.id for row in rows if row.has_letters])  # type: ignore[attr-defined]
    waits = [row.id for row in rows if row.waits and row.state not in carrier_states.INVALID]  # type: ignore[attr-defined]
    waiting_revocations = held_revocations.notices(actor=actor, carrier_ids=waits, eid_ids=shown_eids)
    for row in rows:
        on_it = [_eid(eid, row, certificates.get((row.id, eid.id), []), ordering) for eid in eids.get(row.id, [])]
        own = _newest(certificates.get((row.id, None), []))
        notices = waiting_revocations.get(row.id, [])
        view = _carrier(actor, row, orders.get(row.id), own, on_it, transactions.get(row.id), notices, held=row.id in held)
        functions = (*view.functions, *ordering.of_carrier(row, eids.get(row.id, [])))
        yield replace(view, letters=tuple(letters.get(row.id, ())), functions=functions)


def _newest(own: list[CarrierCertificate]) -> list[CarrierCertificate]:
    """Returns the newest pair of a carrier's own. Ids of eIDs rise with time."""
    newest = max((each.made_with_id.int if each.made_with_id else 0 for each in own), default=0)
    return [each for each in own if (each.made_with_id.int if each.made_with_id else 0) == newest]


def _letters(actor: Actor, carrier_ids: list[UUID]) -> dict[UUID, list[LetterView]]:
    """Returns the PUK letters of carriers that the actor sees, the newest first. Runs one query, and none without a carrier."""
    found: dict[UUID, list[LetterView]] = {}
    for order in _letter_orders(actor, carrier_ids) if carrier_ids else ():
        state = wording.label(words.ORDER_STATE, order.state)
        view = LetterView(order.id, order.state, state, order.ordered_at, order.sent_on, order.registered_mail_id)
        found.setdefault(order.letter_of, []).append(view)  # type: ignore[attr-defined]
    return found


@prepared
def _letter_orders(actor: Actor, carrier_ids: list[UUID]) -> QuerySet[CardOrder]:
    rows = CardOrder.objects.visible_to(actor).filter(items__puk_of__in=carrier_ids).annotate(letter_of=F("items__puk_of"))
    return rows.order_by("-ordered_at", "-id").distinct()


def _carrier(
    actor: Actor,
    row: Carrier,
    order: CardOrder | None,
    certificates: list[CarrierCertificate],
    eids: list[EidView],
    transaction: EidAppTransaction | None,
    notices: list[HeldNotice],
    *,
    held: bool,
) -> CarrierView:
    kind = kinds.kind_of(row.kind)
    seen = sum(eid.state in _EID_VALID for eid in eids)
    activate_by = _last_day_after(row.sent_at, settings.NOT_ACTIVATED_DAYS) if row.state == CarrierState.SENT else None
    signing = row.state == CarrierState.ACTIVATED_UNSIGNED
    sign_by = _last_day_after(row.code_set_at, settings.NOT_SIGNED_DAYS) if signing else None
    may_remove = order is not None and getattr(order, f"may_{Action.REMOVE_ORDER}")
    return CarrierView(
        id=row.id,
        code=row.kind,
        name=carrier_words.name(row.kind, row.state),
        last=row.card_serial[-4:],
        face=carrier_words.face(row),
        type=words.carrier_type(row.kind),
        kind=words.carrier_kind(row.kind),
        organisation=row.organisation.name,
        state=row.state,
        is_new=row.state == CarrierState.SENT,
        worst_eid=carrier_words.worst_eid(row.state, [eid.state for eid in eids]),
        valid_to=wording.last_day(row.valid_to),
        expires_in=_expires_in(row.valid_to) if row.state == CarrierState.ACTIVE else None,
        assurance_level=row.assurance_level,
        serial=wording.card_serial(row.card_serial),
        article=words.article(row.article.number, row.article.title) if row.article else "",
        article_name=row.article.title if row.article else "",
        device=row.device,
        is_card=kind.is_card,
        mifare_id=row.mifare_id,
        held=held,
        activate_by=activate_by,
        activation_days=_days_to(activate_by),
        sign_by=sign_by,
        signing_days=_days_to(sign_by),
        code_blocked=row.is_code_blocked,
        help=card_help.card_help(transaction, row) if transaction else None,
        revocation_reason=words.revocation_reason(row.revocation_reason),
        ended_at=row.ended_at,
        activated_at=row.activated_at,
        read_only=not row.in_own_scope,  # type: ignore[attr-defined]
        other_eids=row.valid_eids - seen,  # type: ignore[attr-defined]
        has_eid=row.valid_eids > 0 or not kind.bears_eids,  # type: ignore[attr-defined]
        waiting_revocations=tuple(notices),
        may_decide_revocations=getattr(row, f"may_{Action.REVOKE_CARRIER}"),
        order=order_parts.order_view(order) if order else None,
        certificates=_links(certificates),
        eids=tuple(eids),
        functions=tuple(person_functions.of_carrier(actor, row, order, may_remove=may_remove, revocation_waits=bool(notices))),
    )


def _eid(eid: Eid, carrier: Carrier, certificates: list[CarrierCertificate], ordering: EidFunctions) -> EidView:
    return EidView(
        id=eid.id,
        organisation=eid.organisation.name,
        state=eid.state,
        is_unusual=carrier_words.is_unusual(eid.state, carrier.state),
        hsa_id=eid.hsa_id,
        upn=eid.upn,
        mail=eid.mail,
        title=eid.title,
        valid_from=wording.day(eid.valid_from),
        valid_to=wording.last_day(eid.valid_to),
        expires_in=_expires_in(eid.valid_to) if eid.valid_to and eid.state == EidState.ACTIVE else None,
        assurance_level=eid.assurance_level,
        # The certificates may still fail before the card is sent.
        has_signature_certificate=carrier.state != CarrierState.ORDERED
        and any(certificate.profile.endswith("-sign") for certificate in certificates),
        revocation_reason=words.revocation_reason(eid.revocation_reason),
        ended_at=eid.ended_at,
        certificates=_links(certificates),
        functions=(*ordering.of_eid(eid, carrier), *person_functions.of_eid(eid)),
    )


def _links(certificates: list[CarrierCertificate]) -> tuple[CertificateLink, ...]:
    return tuple(CertificateLink(row.certificate_id, wording.certificate_use(row.profile)) for row in certificates)


def _drafts(actor: Actor, person_id: UUID) -> tuple[DraftView, ...]:
    """Returns the actor's own open drafts for the person."""
    return tuple(
        DraftView(
            id=row.id,
            organisation=row.post.organisation.name if row.post else "",
            article=words.article(row.article.number, row.article.title) if row.article else "",
            updated_at=row.updated_at,
        )
        for row in _open_drafts(actor.ref, person_id)
    )


@prepared
def _open_drafts(owner_ref: str, person_id: UUID) -> QuerySet[OrderDraft]:
    rows = OrderDraft.objects.filter(person=person_id, owner_ref=owner_ref, state=DraftState.OPEN.value)
    return rows.select_related("post__organisation", "article").order_by("-updated_at", "-id")


def _eid_orders(actor: Actor, carrier_ids: list[UUID]) -> list[EidOrder]:
    """Returns the waiting eID orders on these carriers that the actor sees, annotated with the right to withdraw them. Runs one
    query, and none without a carrier.
    """
    if not carrier_ids:
        return []
    rows = EidOrder.objects.with_rights(actor, [Action.WITHDRAW_EID_ORDER]).visible_to(actor)
    rows = rows.filter(carrier__in=carrier_ids, state=EidOrderState.ORDERED.value)
    return list(rows.select_related("organisation", "carrier").order_by("ordered_at", "id"))


def _eid_order(row: EidOrder, ordering: EidFunctions) -> EidOrderView:
    return EidOrderView(
        id=row.id,
        carrier_id=row.carrier_id,
        name=_(row.rule.name),
        state=row.state,
        organisation=row.organisation.name,
        hsa_id=row.hsa_id,
        upn=row.upn,
        mail=row.mail,
        assurance_level=row.assurance_level,
        carrier=wording.card_serial(row.carrier.card_serial),
        ordered_at=row.ordered_at,
        fetch_by=wording.last_day(row.expires_at),
        functions=tuple(ordering.of_order(row)),
    )


def _last_day_after(since: dt.datetime | None, days: int) -> dt.date | None:
    """Returns the last day before a rule of `days` calendar days since `since` takes effect."""
    return since.astimezone(clock.STOCKHOLM).date() + dt.timedelta(days=days) if since else None


def _days_to(day: dt.date | None) -> int | None:
    return (day - clock.today()).days if day else None


def _expires_in(valid_to: dt.datetime) -> int | None:
    """Returns the days to the last day if it is within the longest of `EXPIRY_WARNINGS`, else None."""
    days = _days_to(wording.last_day(valid_to))
    return days if days is not None and days <= EXPIRY_WARNINGS[-1] else None
