"""The demo's ID-administrator at work: finds someone without a card, orders one, later revokes it."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from issuance.authz import Action, Actor, Role
from issuance.domain.carrier_states import CarrierState
from issuance.domain.revocation import RevocationReason
from issuance.models import CardOrder, Carrier, OrganisationArticle, OrganisationOffice, Post, RoleGrant
from issuance.services import ordering, revocation
from issuance.services.actors import actor_of_person
from siths_portal.lib import clock

ARTICLE = "631"  # without photo

_LIVE = [state.value for state in (CarrierState.ORDERED, CarrierState.SENT, CarrierState.ACTIVATED_UNSIGNED, CarrierState.ACTIVE)]


class NobodyLeft(RuntimeError):
    """Everyone in the demo has a card already."""


@dataclass(frozen=True)
class PlacedOrder:
    """An order as the walk follows it."""

    order_id: UUID
    carrier_id: UUID
    person_id: UUID
    party_id: UUID | None
    actor: Actor


def place_order() -> PlacedOrder:
    """Orders article 631 for a person who has no live card, by an ID-administrator of the person's organisation.

    Raises NobodyLeft when all have one, and what `submit_order` raises.
    """
    grants = RoleGrant.objects.filter(role=Role.ID_ADMINISTRATOR.value, valid_to=None).order_by("id")
    for grant in grants:
        actor = actor_of_person(grant.person_id)
        post = _candidate(actor)
        if post is None:
            continue
        link = OrganisationOffice.objects.filter(organisation=post.organisation, office__closed_at=None).order_by("id").first()
        if link is None:
            continue
        order = ordering.submit_order(
            actor=actor, post_id=post.id, article_code=ARTICLE, office_id=link.office_id, idempotency_key=f"demo-{uuid4()}"
        )
        area = post.organisation.area
        return PlacedOrder(order.id, order.carrier_id, post.person_id, area.issuing_organisation_id, actor)
    raise NobodyLeft("Alla demopersoner har redan kort.")


def _candidate(actor: Actor) -> Post | None:
    may_order = OrganisationArticle.objects.filter(article__code=ARTICLE, orderable=True).values("organisation_id")
    with_office = OrganisationOffice.objects.filter(office__closed_at=None).values("organisation_id")
    holders = Carrier.objects.filter(state__in=_LIVE).values("person_id")
    return (
        Post.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD)
        .filter(
            organisation_id__in=may_order,
            organisation__in=with_office,
            ended_at=None,
            person__deceased=False,
            person__is_protected=False,
            person__identifiers__kind="personnummer",
            person__identifiers__valid_to=None,
        )
        .exclude(person_id__in=_own(actor))
        .exclude(person_id__in=holders)
        .select_related("organisation__area")
        .order_by("id")
        .first()
    )


def _own(actor: Actor) -> list[UUID]:
    """The clerk, who may not order for herself."""
    return [actor.person_id] if actor.person_id else []


def card_of(order: PlacedOrder) -> Carrier:
    """The order's card as it stands."""
    return Carrier.objects.get(pk=order.carrier_id)


def state_of(order: PlacedOrder) -> str:
    """The order's state as it stands."""
    return str(CardOrder.objects.values_list("state", flat=True).get(pk=order.order_id))


def certificate_ids(order: PlacedOrder) -> list[UUID]:
    """The ids of the card's four certificates, in a fixed order of profiles."""
    rows = card_of(order).certificates.order_by("profile")
    return [row.certificate_id for row in rows]


def revoke(order: PlacedOrder) -> None:
    """Revokes the card as lost, as the ID-administrator who ordered it."""
    revocation.revoke_carrier(
        actor=order.actor,
        carrier_id=order.carrier_id,
        reason=RevocationReason.LOST_OR_STOLEN.value,
        received_at=clock.now(),
    )
