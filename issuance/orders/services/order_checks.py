"""Obstacles to an order (rules/issuance 3.2): rules on the assignment, article, photo, office, customisation, person and names.

The order wizard checks them at each step; the order itself checks all of them again.
"""

import re
from collections.abc import Collection
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from issuance.articles.models import Article, OrganisationArticle
from issuance.carriers.domain import kinds
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.effective import effective_customisations, prints
from issuance.offices.models import Office, OrganisationOffice
from issuance.orders.domain import rules
from issuance.orders.services import booked_test_persons
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person, Post
from issuance.people.models.photos import Photo
from issuance.people.services import people
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.errors import Conflict, Invalid

_ADDRESS = re.compile(r"[^@,\s]+@[^@,\s]+")
_NAME_LIMIT = 64
"""The upper bound of a name attribute in a certificate (RFC 5280 appendix A.1)."""

_RESERVE_CARD = "Lämna ut ett reservkort på tillitsnivå 2 i stället, om personen behöver ett kort."
_OBSTACLES = {
    rules.Obstacle.DECEASED: "Personen är avliden enligt personregistret. Kort kan inte beställas.",
    rules.Obstacle.NOT_PERSONNUMMER: (
        f"Personen saknar personnummer. Ordinarie kort på tillitsnivå 3 kräver personnummer. {_RESERVE_CARD}"
    ),
    rules.Obstacle.TOO_YOUNG: (
        "Kort kan inte beställas. Personen måste ha fyllt {age} år för tillitsnivå {level}. Från 15 år kan personen få ett "
        "reservkort på tillitsnivå 2."
    ),
    rules.Obstacle.NO_ADDRESS: f"Personen saknar folkbokföringsadress, dit kortet ska skickas. {_RESERVE_CARD}",
}


def require_current(post: Post) -> None:
    """Raises Conflict unless the assignment is current; its last day counts."""
    if post.ended_at is not None or (post.valid_to is not None and post.valid_to < clock.today()):
        message = "Uppdraget är avslutat i HSA-katalogen. Välj ett annat uppdrag eller kontakta er HSA-administratör."
        raise Conflict("post-ended", message)


def kinds_for_persons() -> list[str]:
    """Returns the kinds of articles that are ordered for one person. Reserve cards are ordered in bundles, and test cards only
    where the environment has booked test persons.
    """
    ordered = (kind for kind in kinds.all_kinds() if kind.rule(kinds.Function.ORDER))
    here = (kind for kind in ordered if not kind.for_test_persons or booked_test_persons.are_named())
    return sorted(article_kind for kind in here for article_kind in kind.article_kinds)


def offers(article_kinds: Collection[str] | None = None) -> QuerySet[OrganisationArticle]:
    """Returns which organisations may order which articles today: chosen by the organisation, on sale, and of a kind for
    persons, or of `article_kinds`. An article with a photo is no card of the generic look.
    """
    today = clock.today()
    in_time = Q(article__valid_to=None) | Q(article__valid_to__gte=today)
    wanted = sorted(kinds_for_persons() if article_kinds is None else article_kinds)
    found = OrganisationArticle.objects.filter(in_time, orderable=True, article__valid_from__lte=today, article__kind__in=wanted)
    generic = [article_kind for kind in kinds.all_kinds() if kind.generic_look for article_kind in kind.article_kinds]
    return found.exclude(article__kind__in=generic, article__photo=True)


def orderable_articles(organisation_id: UUID) -> list[Article]:
    """Returns the articles that the organisation may order today, by number."""
    return _orderable_articles(organisation_id, kinds_for_persons())


@prepared
def _orderable_articles(organisation_id: UUID, article_kinds: list[str]) -> QuerySet[Article]:
    offered = offers(article_kinds).filter(organisation=organisation_id).values("article")
    return Article.objects.filter(pk__in=offered).order_by("number", "code")


def require_article(organisation: Organisation, code: str) -> Article:
    """Returns the article if the organisation may order it today. Raises Invalid."""
    article = next((one for one in orderable_articles(organisation.id) if one.code == code), None)
    if article is None:
        message = "Organisationen kan inte beställa artikeln. Välj en beställningsbar artikel."
        raise Invalid("article-not-orderable", message, fields={"article": [message]})
    return article


def require_photo(article: Article, person_id: UUID, photo_id: UUID | None) -> Photo | None:
    """Returns the person's approved photo, or None for an article without photo. Raises Invalid."""
    if not article.photo:
        return None
    photo = Photo.objects.filter(pk=photo_id, person_id=person_id, approved_at__isnull=False).first() if photo_id else None
    if photo is None:
        message = "Artikeln kräver ett foto. Hämta ett fotografi eller välj en artikel utan foto."
        raise Invalid("photo-missing", message, fields={"photo": [message]})
    return photo


def open_connections() -> QuerySet[OrganisationOffice]:
    """Returns the connections of organisations to open offices."""
    return OrganisationOffice.objects.filter(office__closed_at=None)


def open_offices(organisation_id: UUID) -> list[Office]:
    """Returns the open offices that the organisation may choose, by name."""
    return _open_offices_by_name(organisation_id)


@prepared
def _open_offices_by_name(organisation_id: UUID) -> QuerySet[Office]:
    return _open_offices(organisation_id).order_by("name", "office_number")


def require_office(organisation: Organisation, office_id: UUID) -> Office:
    """Returns the office if it is open and connected to the organisation. Raises Invalid."""
    office = _open_offices(organisation.pk).filter(pk=office_id).first()
    if office is None:
        message = "Kontoret är stängt eller inte kopplat till organisationen. Välj ett annat kontor."
        raise Invalid("office-not-connected", message, fields={"office": [message]})
    return office


def _open_offices(organisation_id: UUID) -> QuerySet[Office]:
    return Office.objects.filter(pk__in=open_connections().filter(organisation=organisation_id).values("office"))


def require_customisation(organisation: Organisation) -> CardCustomisation:
    """Returns the organisation's card customisation, ready to print. Reads `organisation.area`. Raises Conflict."""
    return ready_customisation(organisation, effective_customisations([organisation]).get(organisation.id))


def customisation_of(organisation: Organisation, article: Article) -> CardCustomisation:
    """Returns the card customisation of an article for the organisation: its own, or the generic one for a kind of the generic
    look. Raises Conflict.
    """
    if kinds.of_article(article.kind).generic_look:
        return generic_customisation(organisation)
    return require_customisation(organisation)


def generic_customisation(organisation: Organisation) -> CardCustomisation:
    """Returns the card customisation with the look of SITHS eID, ready to print for the organisation. Raises Conflict."""
    return ready_customisation(organisation, CardCustomisation.objects.filter(generic=True).first())


def ready_customisation(organisation: Organisation, customisation: CardCustomisation | None) -> CardCustomisation:
    """Returns `customisation` if it can be used for cards of the organisation. Raises Conflict."""
    if organisation.closed_at is not None:
        message = "Organisationen är avslutad i portalen. Kort kan inte beställas för uppdraget."
        raise Conflict("organisation-ended", message)
    if organisation.area.issuing_organisation_id is None:
        message = "Kort kan inte beställas: utgivningsområdet har ingen utgivande organisation. Be SITHS-förvaltningen välja en."
        raise Conflict("area-without-issuer", message)
    if customisation is not None and not customisation.supplier_ref:
        message = "Kortanpassningen saknar kortleverantör. Be SITHS-förvaltningen välja en innan kort kan beställas."
        raise Conflict("customisation-without-supplier", message)
    if customisation is None or not prints(customisation):
        message = "Organisationens kortanpassning ska ha utfärdarnummer och vara verifierad innan kort kan beställas."
        raise Conflict("customisation-not-verified", message)
    return customisation


def age_limits() -> rules.AgeLimits:
    """Returns the completed years that a holder must have, from the settings."""
    return rules.AgeLimits(settings.MINIMUM_AGE_LOA3, settings.MINIMUM_AGE_LOA2)


def obstacles(live: people.Live, *, assurance_level: int, is_sent: bool = True) -> dict[rules.Obstacle, str]:
    """Returns the obstacles to a card of this level for the person as read live, each with its Swedish sentence. `is_sent` means
    that the card is to be sent to the person.
    """
    limits = age_limits()
    found = rules.obstacles(
        live.person_id,
        assurance_level=assurance_level,
        deceased=live.register.deceased,
        is_protected=live.register.is_protected,
        has_address=live.register.registered_address is not None,
        is_sent=is_sent,
        today=clock.today(),
        limits=limits,
    )
    age = limits.for_level(assurance_level)
    return {name: _OBSTACLES[name].format(age=age, level=assurance_level) for name in found}


def require_person(live: people.Live, article: Article) -> None:
    """Raises Invalid with all obstacles to the article for the person, if there are any, or if the card has a person-id pair and
    the person only a passport or reserve number. A test card needs a booked test person; raises Unavailable if their file cannot
    be read.
    """
    found = obstacles(live, assurance_level=article.assurance_level)
    if found:
        name, message = next(iter(found.items()))
        raise Invalid(name.value, message, fields={"person": list(found.values())})
    kind = kinds.of_article(article.kind)
    if kind.for_test_persons and not booked_test_persons.has(live.person_id):
        message = (
            "Testkort beställs bara åt testpersoner som är bokade i Testpersonbokaren. Boka personen och försök igen i morgon."
        )
        raise Invalid("person-not-booked", message, fields={"person": [message]})
    if kind.profiles(kinds.Owner.CARRIER) and not live.person_id.is_certifiable:
        message = "Personen har varken personnummer eller samordningsnummer, och kortets certifikat kräver ett av dem."
        raise Invalid("person-id-not-certifiable", message, fields={"person": [message]})


def require_complete(post: Post) -> None:
    """Raises Invalid or Conflict unless all values for certificates are present and fit (RFC 5280 appendix A.1)."""
    name = common_name(post.person)
    if not post.person.given_name_in_use or not post.person.surname or len(name) > _NAME_LIMIT:
        message = "Namnet i personregistret saknas eller är längre än 64 tecken och ryms inte i ett certifikat."
        raise Invalid("name-not-certifiable", message, fields={"person": [message]})
    if len(post.title) > _NAME_LIMIT:
        message = "Titeln i HSA-katalogen är längre än 64 tecken och ryms inte i ett certifikat."
        raise Invalid("title-not-certifiable", message, fields={"post": [message]})
    if len(top_organisation(post.organisation).name) > _NAME_LIMIT:
        raise Conflict(
            "organisation-not-certifiable", "Organisationens namn är längre än 64 tecken och ryms inte i ett certifikat."
        )
    if post.mail and not (post.mail.isascii() and _ADDRESS.fullmatch(post.mail)):
        message = "E-postadressen i HSA-katalogen kan inte skrivas i ett certifikat. Be er HSA-administratör rätta den."
        raise Invalid("mail-not-certifiable", message, fields={"post": [message]})
    if post.upn and not _ADDRESS.fullmatch(post.upn):
        message = "UPN i HSA-katalogen kan inte skrivas i ett certifikat. Be er HSA-administratör rätta det."
        raise Invalid("upn-not-certifiable", message, fields={"post": [message]})


def top_organisation(organisation: Organisation) -> Organisation:
    """Returns the organisation without a parent that this one is under, or is."""
    if organisation.parent_id is None:
        return organisation
    return Organisation.objects.get(scope_path="/".join(organisation.scope_path.split("/")[:3]) + "/")


def common_name(person: Person) -> str:
    """Returns the name in certificates and on cards: the given name in use and the surname."""
    return f"{person.given_name_in_use} {person.surname}"
