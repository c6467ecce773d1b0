"""What the order wizard shows of a draft: which answers hold, what may be chosen, and the summary that grows
(rules/issuance 3.1)."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db.models import Prefetch, Q, QuerySet, prefetch_related_objects
from django.utils import timezone

from issuance.authz import Action, Actor
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.effective import effective_customisations
from issuance.orders.domain.drafts import DraftState, Step, first_unanswered
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.services import order_checks
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Post
from issuance.people.models.photos import Photo
from issuance.records.domain.ids import age_on
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError

PHOTO_OLD_YEARS = 5


@dataclass(frozen=True)
class Answers:
    """Which steps of a draft have an answer that holds now, and why the others' do not where one was given.

    `photo` tells whether the chosen article has one; None before one is chosen. `customisation` is that of the post's cards.
    """

    answered: frozenset[Step]
    problems: Mapping[Step, str]
    photo: bool | None
    customisation: CardCustomisation | None

    @property
    def first_unanswered(self) -> Step:
        """The furthest step that may be shown."""
        return first_unanswered(self.answered, photo=self.photo)


@dataclass(frozen=True)
class PostChoice:
    """A post that may be chosen, or may not for the reason given."""

    post: Post
    reason: str


@dataclass(frozen=True)
class PostGroup:
    """The person's posts under one top organisation."""

    name: str
    posts: list[PostChoice]


@dataclass(frozen=True)
class PhotoChoice:
    """The photo to look at. `stored` is the person's own when another is shown; `old` after five years."""

    photo: Photo | None
    years: int
    old: bool
    stored: Photo | None


def with_answers() -> QuerySet[OrderDraft]:
    """Drafts with the rows that their answers name, but for the post (`fetch_post`); the photo's bytes stay behind."""
    return OrderDraft.objects.select_related("person", "article", "photo", "office", "order").defer("photo__pending")


def fetch_post(draft: OrderDraft) -> None:
    """Fetches the draft's post and its places in one query.

    Apart from the draft, since PostgreSQL takes 4 ms to plan one join of all ten tables, and 2 ms for both. Call it after the
    right to the draft is checked: the queries about a hidden draft and about a missing one are the same (S46).
    """
    posts = Post.objects.select_related("organisation__area__issuing_organisation")
    prefetch_related_objects([draft], Prefetch("post", queryset=posts))


def stale() -> QuerySet[OrderDraft]:
    """Drafts with a photo that have not become an order and that nobody has touched for the set number of days."""
    before = clock.now() - dt.timedelta(days=settings.ORDER_DRAFT_DAYS)
    return OrderDraft.objects.filter(~Q(state=DraftState.SUBMITTED), photo__isnull=False, updated_at__lt=before).order_by("id")


def answers(*, actor: Actor, draft: OrderDraft) -> Answers:
    """Checks every answer of the draft, fetched by `with_answers`, as the order itself will."""
    answered: set[Step] = set()
    problems: dict[Step, str] = {}
    customisation = None
    post, article, office = draft.post, draft.article, draft.office
    if post is not None:
        try:
            if not Post.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD).filter(pk=post.pk).exists():
                problems[Step.ORGANISATION] = "Uppdraget ligger inte längre inom din behörighet. Välj ett annat uppdrag."
            order_checks.require_current(post)
            customisation = order_checks.require_customisation(post.organisation)
            answered.add(Step.ORGANISATION)
        except DomainError as error:
            problems[Step.ORGANISATION] = error.message
        if Step.ORGANISATION in problems:
            answered.discard(Step.ORGANISATION)
    if post is not None and article is not None:
        if article in order_checks.orderable_articles(post.organisation_id):
            answered.add(Step.ARTICLE)
        else:
            problems[Step.ARTICLE] = f"{post.organisation.name} kan inte längre beställa artikeln {article.code}. Välj en annan."
    if draft.photo_approved:
        answered.add(Step.PHOTO)
    if post is not None and office is not None:
        if office in order_checks.open_offices(post.organisation_id):
            answered.add(Step.OFFICE)
        else:
            problems[Step.OFFICE] = f"Kontoret {office.name} är stängt eller inte kopplat till organisationen. Välj ett annat."
    return Answers(frozenset(answered), problems, article.photo if article else None, customisation)


def post_choices(*, actor: Actor, person_id: UUID) -> list[PostGroup]:
    """The person's posts in the clerk's scope that have not left the catalogue, grouped by top organisation."""
    rows = Post.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD).filter(person=person_id, ended_at=None)
    posts = list(rows.select_related("organisation__area").order_by("organisation__scope_path", "hsa_id"))
    customisations = effective_customisations([post.organisation for post in posts])
    tops = {post.pk: "/".join(post.organisation.scope_path.split("/")[:3]) + "/" for post in posts}
    names = dict(Organisation.objects.filter(scope_path__in=set(tops.values())).values_list("scope_path", "name"))
    groups: dict[str, list[PostChoice]] = {}
    for post in posts:
        reason = _reason(post, customisations.get(post.organisation_id))
        groups.setdefault(tops[post.pk], []).append(PostChoice(post, reason))
    return [PostGroup(names[path], choices) for path, choices in sorted(groups.items(), key=lambda item: names[item[0]].lower())]


def _reason(post: Post, customisation: CardCustomisation | None) -> str:
    try:
        order_checks.require_current(post)
        order_checks.ready_customisation(post.organisation, customisation)
    except DomainError as error:
        return error.message
    return ""


def photo_choice(draft: OrderDraft) -> PhotoChoice:
    """The draft's photo, else the person's stored one, with its age."""
    stored = Photo.objects.latest_of(draft.person_id)
    photo = draft.photo or stored
    if photo is None:
        return PhotoChoice(None, 0, old=False, stored=None)
    years = age_on(timezone.localtime(photo.uploaded_at).date(), clock.today())
    return PhotoChoice(photo, years, years >= PHOTO_OLD_YEARS, stored if stored is not None and stored.pk != photo.pk else None)
