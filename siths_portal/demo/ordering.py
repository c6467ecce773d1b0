"""Who gets the walk's card, and from whom: found in the database, while all that is done to the card goes over the wire."""

from dataclasses import dataclass, field
from uuid import UUID

from issuance.articles.models import OrganisationArticle
from issuance.authz import Action, Actor, Role
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.models import Carrier
from issuance.offices.models import Office, OrganisationOffice
from issuance.orders.models.orders import CardOrder
from issuance.people.models.persons import Post
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import role_assignment
from issuance.roles.services.actors import actor_of_person

ARTICLE = "677"  # with photo
ARTICLE_P256 = "610"  # with photo; the demo's supplier makes these cards with P-256 keys

_LIVE = [state.value for state in (CarrierState.ORDERED, CarrierState.SENT, CarrierState.ACTIVATED_UNSIGNED, CarrierState.ACTIVE)]


class NobodyLeft(RuntimeError):
    """Everyone in the demo has a card already."""


@dataclass(frozen=True)
class Who:
    """A person at a page: the name and the number that are typed or pressed, and the assignment."""

    person_id: UUID
    name: str = field(repr=False)
    number: str = field(repr=False)
    hsa_id: str = field(repr=False)

    @property
    def written(self) -> str:
        """The number as people write it."""
        return f"{self.number[:8]}-{self.number[8:]}"


@dataclass(frozen=True)
class Case:
    """A holder without a card, the ID-administrator of the same organisation, and the office that is chosen."""

    clerk: Who
    holder: Who
    office: Office


def find_case(article: str = ARTICLE) -> Case:
    """Somebody without a live card who may get the article, and an ID-administrator of the person's organisation.

    Raises NobodyLeft if everybody has a card.
    """
    grants = RoleGrant.objects.filter(role=Role.ID_ADMINISTRATOR.value, valid_to=None).order_by("id")
    for grant in grants:
        actor = actor_of_person(grant.person_id)
        post = _candidate(actor, article)
        if post is None:
            continue
        link = OrganisationOffice.objects.filter(organisation=post.organisation, office__closed_at=None).order_by("id").first()
        own = Post.objects.filter(person_id=grant.person_id, ended_at=None).order_by("hsa_id").first()
        if link is not None and own is not None:
            return Case(_who(own), _who(post), link.office)
    raise NobodyLeft("Alla demopersoner har redan kort.")


def _who(post: Post) -> Who:
    person = post.person
    number = person.identifiers.get(valid_to=None)
    return Who(person.id, f"{person.given_name_in_use} {person.surname}", number.value, post.hsa_id)


def _candidate(actor: Actor, article: str) -> Post | None:
    may_order = OrganisationArticle.objects.filter(article__code=article, orderable=True).values("organisation_id")
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
            person__role_grants=None,
            person__identifiers__kind="personnummer",
            person__identifiers__valid_to=None,
        )
        .exclude(person_id__in=holders)
        .select_related("organisation__area", "person")
        .order_by("id")
        .first()
    )


def order_of(who: Who) -> CardOrder:
    """The person's newest card order."""
    return CardOrder.objects.with_card().filter(person=who.person_id).select_related("photo").latest("ordered_at")


def certificate_ids(order: CardOrder) -> list[UUID]:
    """The ids of the card's four certificates, in a fixed order of profiles."""
    return [row.certificate_id for row in order.carrier.certificates.order_by("profile")]


def give_reading_role(who: Who) -> RoleGrant:
    """The role Läs from the area's responsible issuer, so that the portal lets the new card's holder in."""
    post = Post.objects.select_related("organisation").get(hsa_id=who.hsa_id)
    return role_assignment.assign_role(
        actor=_issuer(post),
        person_id=who.person_id,
        role=Role.READER,
        protected_persons=False,
        organisation_id=post.organisation_id,
    )


def end_reading_role(who: Who, grant: RoleGrant) -> None:
    """Takes the role back."""
    post = Post.objects.select_related("organisation").get(hsa_id=who.hsa_id)
    role_assignment.end_role(actor=_issuer(post), grant_id=grant.id)


def _issuer(post: Post) -> Actor:
    grant = RoleGrant.objects.get(role=Role.RESPONSIBLE_ISSUER.value, area=post.organisation.area_id, valid_to=None)
    return actor_of_person(grant.person_id)
