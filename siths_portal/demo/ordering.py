"""Finds the holder and the ID administrator of the demo's card in the database. All steps with the card use HTTP."""

from dataclasses import dataclass, field
from uuid import UUID

from issuance.articles.models import OrganisationArticle
from issuance.authz import Action, Actor, Role
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.models import Carrier
from issuance.offices.models import Office, OrganisationOffice
from issuance.orders.models.orders import CardOrder
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Post
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import role_assignment
from issuance.roles.services.actors import actor_of_person
from siths_portal.demo.cases import without_special

ARTICLE = "677"  # with photo
ARTICLE_P256 = "610"  # with photo; the demo's supplier makes these cards with P-256 keys

_LIVE = [state.value for state in (CarrierState.ORDERED, CarrierState.SENT, CarrierState.ACTIVATED_UNSIGNED, CarrierState.ACTIVE)]


class NobodyLeft(RuntimeError):
    """All people in the demo already have a card."""


@dataclass(frozen=True)
class PersonOnPage:
    """A person with the name and number to type or press on a page, and the HSA-id of the assignment."""

    person_id: UUID
    name: str = field(repr=False)
    number: str = field(repr=False)
    hsa_id: str = field(repr=False)

    @property
    def written(self) -> str:
        """The number with its hyphen."""
        return f"{self.number[:8]}-{self.number[8:]}"


@dataclass(frozen=True)
class Case:
    """A holder without a card, an ID administrator of the same organisation, and the office to choose."""

    clerk: PersonOnPage
    holder: PersonOnPage
    office: Office


def find_case(article: str = ARTICLE, *, first: str = "") -> Case:
    """Returns a person without a live card who may get the article, and an ID administrator of the person's organisation.

    Looks first in the organisation with the HSA-id `first`. Raises NobodyLeft if there is no such person.
    """
    grants = RoleGrant.objects.filter(role=Role.ID_ADMINISTRATOR.value, valid_to=None).select_related("organisation")
    for grant in sorted(grants.order_by("id"), key=lambda each: each.organisation is None or each.organisation.hsa_id != first):
        actor = actor_of_person(grant.person_id)
        post = _candidate(actor, article)
        if post is None:
            continue
        link = OrganisationOffice.objects.filter(organisation=post.organisation, office__closed_at=None).order_by("id").first()
        own = Post.objects.filter(person_id=grant.person_id, ended_at=None).order_by("hsa_id").first()
        if link is not None and own is not None:
            return Case(_on_page(own), _on_page(post), link.office)
    raise NobodyLeft("Alla demopersoner har redan kort.")


def _on_page(post: Post) -> PersonOnPage:
    person = post.person
    number = person.identifiers.get(valid_to=None)
    return PersonOnPage(person.id, f"{person.given_name_in_use} {person.surname}", number.value, post.hsa_id)


def _candidate(actor: Actor, article: str) -> Post | None:
    may_order = OrganisationArticle.objects.filter(article__code=article, orderable=True).values("organisation_id")
    with_office = OrganisationOffice.objects.filter(office__closed_at=None).values("organisation_id")
    holders = Carrier.objects.filter(state__in=_LIVE, person__isnull=False).values("person_id")
    return (
        without_special(Post.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD))
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


def finance_people() -> list[PersonOnPage]:
    """Returns the people who hold the role of finance, the one with the oldest right first."""
    grants = RoleGrant.objects.filter(role=Role.FINANCE_ADMIN.value, valid_to=None).order_by("id")
    posts = (Post.objects.filter(person_id=each.person_id, ended_at=None).order_by("hsa_id").first() for each in grants)
    return [_on_page(post) for post in posts if post is not None]


def officers_of(organisation: Organisation) -> list[PersonOnPage]:
    """Returns the ID administrators of the organisation itself, those without the add-on for protected persons first."""
    grants = RoleGrant.objects.filter(role=Role.ID_ADMINISTRATOR.value, organisation=organisation, valid_to=None)
    return [_of_grant(grant, organisation) for grant in grants.order_by("protected_persons", "id")]


def issuer_of(organisation: Organisation) -> PersonOnPage:
    """Returns the responsible issuer of the organisation's area."""
    grant = RoleGrant.objects.get(role=Role.RESPONSIBLE_ISSUER.value, area=organisation.area_id, valid_to=None)
    return _of_grant(grant, organisation)


def employee_of(organisation: Organisation) -> PersonOnPage:
    """Returns a person with an assignment in the organisation itself, an address and no role. Raises NobodyLeft."""
    posts = without_special(Post.objects.filter(organisation=organisation, ended_at=None, valid_to=None))
    plain = posts.filter(person__deceased=False, person__is_protected=False, person__role_grants=None)
    known = plain.filter(person__identifiers__kind="personnummer", person__identifiers__valid_to=None)
    post = known.select_related("person").order_by("hsa_id").first()
    if post is None:
        raise NobodyLeft("Ingen demoperson kan få ett reservkort.")
    return _on_page(post)


def office_of(organisation: Organisation) -> Office:
    """Returns the first open office that is connected to the organisation."""
    links = OrganisationOffice.objects.filter(organisation=organisation, office__closed_at=None)
    return links.select_related("office").order_by("id")[0].office


def _of_grant(grant: RoleGrant, organisation: Organisation) -> PersonOnPage:
    posts = Post.objects.filter(person_id=grant.person_id, ended_at=None, organisation__area=organisation.area_id)
    return _on_page(posts.order_by("hsa_id")[0])


def order_of(holder: PersonOnPage) -> CardOrder:
    """Returns the person's newest card order."""
    return CardOrder.objects.with_card().filter(person=holder.person_id).select_related("photo").latest("ordered_at")


def certificate_ids(order: CardOrder) -> list[UUID]:
    """Returns the ids of the card's four certificates, sorted by profile."""
    return [row.certificate_id for row in order.carrier.certificates.order_by("profile")]


def give_reading_role(holder: PersonOnPage) -> RoleGrant:
    """Gives the holder the role Läs as the area's responsible issuer, so that the holder can log in to the portal."""
    post = Post.objects.select_related("organisation").get(hsa_id=holder.hsa_id)
    return role_assignment.assign_role(
        actor=_issuer(post),
        person_id=holder.person_id,
        role=Role.READER,
        protected_persons=False,
        organisation_id=post.organisation_id,
    )


def end_reading_role(holder: PersonOnPage, grant: RoleGrant) -> None:
    """Ends the role."""
    post = Post.objects.select_related("organisation").get(hsa_id=holder.hsa_id)
    role_assignment.end_role(actor=_issuer(post), grant_id=grant.id)


def _issuer(post: Post) -> Actor:
    grant = RoleGrant.objects.get(role=Role.RESPONSIBLE_ISSUER.value, area=post.organisation.area_id, valid_to=None)
    return actor_of_person(grant.person_id)
