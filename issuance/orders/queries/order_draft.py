"""What the page of an order offers: the person's assignments, cards by article and delivery, offices and photos, what the clerk
chose last, and prices (rules/issuance 3.1).
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import CharField, IntegerField, QuerySet, UUIDField, Value
from django.utils import timezone

from issuance.articles.models import Article
from issuance.articles.ports import ArticlePrices
from issuance.authz import Action, Actor
from issuance.carriers.domain import kinds
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.effective import effective_customisations
from issuance.orders.domain.rules import DeliveryMethod, years_after
from issuance.orders.models.delivery_times import DeliveryTime
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import order_checks
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Post
from issuance.people.models.photos import Photo
from issuance.records.domain.ids import age_on
from siths_portal.lib import clock, ports
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.errors import DomainError

PHOTO_OLD_YEARS = 5


@dataclass(frozen=True)
class PostChoice:
    """An assignment; `reason` is empty if it may be chosen. `top` is the name of its top organisation, empty if that is its
    own. `customisation` is the one for its cards.
    """

    post: Post
    reason: str
    top: str
    customisation: CardCustomisation | None


@dataclass(frozen=True)
class Product:
    """A card as it looks, with the article of each delivery that can be ordered."""

    number: str
    name: str
    variants: Mapping[DeliveryMethod, Article]

    @property
    def article(self) -> Article:
        """Returns any of its articles: they look the same and have the same level."""
        return next(iter(self.variants.values()))

    def delivered(self, delivery: str) -> Article:
        """Returns the article with this delivery, or the only one."""
        return next((article for method, article in self.variants.items() if method == delivery), self.article)


@dataclass(frozen=True)
class PhotoChoice:
    """A photo to approve: `years` old, and `old` from the day `renewal`, five years after its upload. `stored` means that it is
    the person's own, approved before.
    """

    photo: Photo
    years: int
    old: bool
    renewal: dt.date
    stored: bool


@dataclass(frozen=True)
class LastChoice:
    """The article and office of the clerk's last order for an organisation."""

    article_code: str
    office_id: UUID


def post_choices(*, actor: Actor, person_id: UUID) -> list[PostChoice]:
    """Returns the person's assignments in the clerk's scope that are still in the HSA directory, by top organisation."""
    posts = _posts(actor, person_id)
    customisations = effective_customisations([post.organisation for post in posts])
    tops = {post.pk: "/".join(post.organisation.scope_path.split("/")[:3]) + "/" for post in posts}
    names = {post.organisation.scope_path: post.organisation.name for post in posts}
    if missing := set(tops.values()) - set(names):
        names |= dict(Organisation.objects.filter(scope_path__in=missing).values_list("scope_path", "name"))
    choices = [
        PostChoice(
            post=post,
            reason=_reason(post, customisations.get(post.organisation_id)),
            top="" if tops[post.pk] == post.organisation.scope_path else names[tops[post.pk]],
            customisation=customisations.get(post.organisation_id),
        )
        for post in posts
    ]
    return sorted(choices, key=lambda choice: names[tops[choice.post.pk]].lower())


@prepared
def _posts(actor: Actor, person_id: UUID) -> QuerySet[Post]:
    rows = Post.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD).filter(person=person_id, ended_at=None)
    related = rows.select_related("organisation__area__issuing_organisation")
    return related.order_by("organisation__scope_path", "hsa_id")


def _reason(post: Post, customisation: CardCustomisation | None) -> str:
    try:
        order_checks.require_current(post)
        order_checks.ready_customisation(post.organisation, customisation)
    except DomainError as error:
        return error.message
    return ""


def products(organisation_id: UUID) -> list[Product]:
    """Returns the cards that the organisation may order today: company cards last, lying cards before standing ones, those with a
    photo first.
    """
    found: dict[str, dict[DeliveryMethod, Article]] = {}
    for article in order_checks.orderable_articles(organisation_id):
        method = DeliveryMethod.REGISTERED_MAIL if article.registered_mail else DeliveryMethod.LETTER
        found.setdefault(article.number, {})[method] = article
    offered = [Product(number, next(iter(variants.values())).name, variants) for number, variants in found.items()]
    return sorted(offered, key=_usual_first)


def _usual_first(product: Product) -> tuple[bool, str, bool, str]:
    article = next(iter(product.variants.values()))
    return article.kind == "company", article.orientation, not article.photo, product.number


def last_post(person_id: UUID, post_ids: Collection[UUID]) -> UUID | None:
    """Returns which of the assignments the person's newest card was ordered for, or None."""
    rows = CardOrder.objects.filter(person=person_id, items__eid__post__in=post_ids).order_by("-ordered_at")
    return rows.values_list("items__eid__post", flat=True).first()


def last_choice(*, actor: Actor, organisation_id: UUID) -> LastChoice | None:
    """Returns what the clerk ordered last for the organisation, or None. A test card is no habit: few persons may get one."""
    return last_and_delivery(actor=actor, organisation_id=organisation_id, supplier_ref="")[0]


def last_and_delivery(*, actor: Actor, organisation_id: UUID, supplier_ref: str) -> tuple[LastChoice | None, int | None]:
    """Returns `last_choice`, and the measured delivery time of the supplier in working days, or None. One query."""
    rows = _last_and_delivery(actor.ref, organisation_id, supplier_ref)
    last = next((LastChoice(article, office) for article, office, _days in rows if article), None)
    return last, next((days for article, _office, days in rows if not article), None)


@prepared
def _last_and_delivery(owner_ref: str, organisation_id: UUID, supplier_ref: str) -> QuerySet[Any, Any]:
    own = CardOrder.objects.filter(ordered_by_ref=owner_ref, organisation=organisation_id, person__isnull=False)
    for_test_persons = [name for kind in kinds.all_kinds() if kind.for_test_persons for name in kind.article_kinds]
    own = own.exclude(article__kind__in=for_test_persons)
    last = own.order_by("-ordered_at").values_list("article", "office", Value(None, output_field=IntegerField()))[:1]
    no_choice = (Value("", output_field=CharField()), Value(None, output_field=UUIDField()))
    return last.union(DeliveryTime.objects.filter(pk=supplier_ref).values_list(*no_choice, "working_days"), all=True)


def prices(post: Post, offered: list[Product]) -> Mapping[str, Decimal]:
    """Returns the price of each article for the party that is invoiced, without VAT. Articles without a price are absent."""
    party_id = post.organisation.area.issuing_organisation_id
    codes = [article.code for product in offered for article in product.variants.values()]
    return ports.get(ArticlePrices).prices(party_id, codes) if party_id is not None and codes else {}


def photo_choices(draft: OrderDraft) -> list[PhotoChoice]:
    """Returns the draft's own photo and the person's stored one, those that there are, the draft's first."""
    stored = Photo.objects.latest_of(draft.person_id)
    found = [photo for photo in (draft.photo, stored) if photo is not None]
    choices = []
    for photo in {photo.pk: photo for photo in found}.values():
        uploaded = timezone.localtime(photo.uploaded_at)
        renewal = years_after(uploaded, PHOTO_OLD_YEARS).date()
        choices.append(
            PhotoChoice(
                photo=photo,
                years=age_on(uploaded.date(), clock.today()),
                old=renewal <= clock.today(),
                renewal=renewal,
                stored=stored is not None and photo.pk == stored.pk,
            )
        )
    return choices
