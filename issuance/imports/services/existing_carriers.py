"""The existing rows that a file of cards refers to, read at once for all rows, as far as the actor sees them (S09, S11)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Reverse, Upper

from issuance.articles.models import Article
from issuance.authz import Action, Actor
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.imports.services.carrier_rows import CardCells, NamedCertificate
from issuance.offices.models import Office
from issuance.organisations.models import Organisation
from issuance.people.models.persons import PersonIdentifier, Post
from pki import service as pki

_ACT = Action.REGISTER_MIGRATED_CARD


@dataclass
class ExistingCards:
    """Existing rows by key. Keys of assignments, organisations and articles are in upper case, that of an office is its
    Kontorsid.

    `posts` prefers an assignment that has not ended. `numbers` are the present and earlier person numbers of each person.
    `issuers` has the slug and generation of each CA by its name in lower case. `owners` has the card of each linked certificate.
    """

    posts: dict[str, Post] = field(default_factory=dict)
    organisations: dict[str, Organisation] = field(default_factory=dict)
    offices: dict[str, Office] = field(default_factory=dict)
    articles: dict[str, Article] = field(default_factory=dict)
    carriers: dict[str, Carrier] = field(default_factory=dict)
    eids: dict[tuple[UUID, str], Eid] = field(default_factory=dict)
    numbers: dict[UUID, set[str]] = field(default_factory=dict)
    issuers: dict[str, tuple[str, int]] = field(default_factory=dict)
    certificates: dict[tuple[str, int, str], pki.CertificateView] = field(default_factory=dict)
    owners: dict[UUID, UUID] = field(default_factory=dict)

    def issuer(self, name: str) -> tuple[str, int] | None:
        """Returns slug and generation of the CA with this common name or slug, in any letter case."""
        return self.issuers.get(_key(name))

    def certificate(self, named: NamedCertificate) -> pki.CertificateView | None:
        """Returns the certificate that a row names, if its issuer has it."""
        issuer = self.issuer(named.issuer)
        return self.certificates.get((*issuer, _serial(named.serial))) if issuer else None


def existing_cards(actor: Actor, cells: Sequence[CardCells]) -> ExistingCards:
    """Returns the rows that `cells` name. The number of queries does not depend on their number."""
    found = ExistingCards()
    posts = _posts(actor, {each.hsa_id for each in cells})
    found.posts = {post.hsa_id.upper(): post for post in posts}
    of_posts = {post.organisation_id for post in posts}
    organisations = Organisation.objects.visible_to(actor, _ACT).alias(key=Upper("hsa_id"))
    named = {each.organisation for each in cells}
    for organisation in [*organisations.filter(key__in=named), *organisations.filter(pk__in=of_posts)]:
        found.organisations[organisation.hsa_id.upper()] = organisation
    offices = Office.objects.visible_to(actor, _ACT).filter(office_number__in={each.office for each in cells if each.office})
    found.offices = {office.office_number: office for office in offices}
    articles = Article.objects.alias(key=Upper("code")).filter(key__in={each.article for each in cells})
    found.articles = {article.code.upper(): article for article in articles}
    found.carriers = {row.card_serial: row for row in _carriers({each.card_serial for each in cells})}
    eids = Eid.objects.filter(carrier__in=[row.pk for row in found.carriers.values()]).order_by("created_at", "pk")
    found.eids = {(eid.carrier_id, eid.hsa_id.upper()): eid for eid in eids}
    people = {post.person_id for post in posts}
    for person_id, value in PersonIdentifier.objects.filter(person__in=people).values_list("person_id", "value"):
        found.numbers.setdefault(person_id, set()).add(value)
    _certificates([each for row in cells for each in row.certificates], found)
    return found


def _posts(actor: Actor, keys: set[str]) -> list[Post]:
    """Returns the assignments in sight with these HSA-ids; those that have not ended come last and so take precedence."""
    # Backwards, because the index of endings also has the assignments that have ended.
    posts = Post.objects.visible_to(actor, _ACT).alias(key=Reverse(Upper("hsa_id")))
    rows = posts.filter(key__in=[key[::-1] for key in keys]).select_related("person", "organisation")
    return sorted(rows, key=lambda post: (post.ended_at is None, post.ended_at or post.synced_at))


def _carriers(serials: Iterable[str]) -> QuerySet[Carrier]:
    return Carrier.objects.filter(card_serial__in=list(serials)).select_related("organisation", "office").defer("card_key_spki")


def _certificates(named: Sequence[NamedCertificate], found: ExistingCards) -> None:
    if not named:
        return
    for authority in pki.authorities():
        for name in (authority.slug, authority.common_name):
            found.issuers[_key(name)] = (authority.slug, authority.generation)
    wanted = [(*issuer, each.serial) for each in named if (issuer := found.issuer(each.issuer))]
    views = pki.with_serials(wanted)
    found.certificates = {(view.ca, view.generation, view.serial): view for view in views}
    links = CarrierCertificate.objects.filter(certificate_id__in=[view.id for view in views])
    found.owners = dict(links.values_list("certificate_id", "carrier_id"))


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def _serial(text: str) -> str:
    """Returns a serial number as `pki` writes it: upper case, in whole octets without a leading zero octet."""
    digits = text.upper().lstrip("0")
    return digits if len(digits) % 2 == 0 else f"0{digits}"
