"""The answers of an order draft, checked by the rules of the order itself."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from issuance.authz import Action, Actor
from issuance.customisations.models import CardCustomisation
from issuance.orders.domain.drafts import DraftState, Step, first_unanswered
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.services import order_checks
from issuance.people.models.persons import Post
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.errors import DomainError


@dataclass(frozen=True)
class Answers:
    """The steps of a draft with a valid answer, and the problems of answers that are no longer valid. `photo` is whether the
    chosen article has one, None before the choice. `customisation` is the one for the assignment's cards. `replaces` means that
    the card replaces another one.
    """

    answered: frozenset[Step]
    problems: Mapping[Step, str]
    photo: bool | None
    customisation: CardCustomisation | None
    replaces: bool = False

    @property
    def first_unanswered(self) -> Step:
        """Returns the last step that may be shown."""
        return first_unanswered(self.answered, photo=self.photo, replaces=self.replaces)


def with_answers() -> QuerySet[OrderDraft]:
    """Returns drafts with the rows of their answers except the assignment (`fetch_post`), without the bytes of photos."""
    return OrderDraft.objects.select_related("person", "article", "photo", "office", "order", "replaced_carrier").defer(
        "photo__pending", "photo__source", "replaced_carrier__card_key_spki"
    )


def fetch_post(draft: OrderDraft) -> None:
    """Loads the draft's assignment with organisation and area in one query.

    A separate query, because PostgreSQL needs 4 ms to plan one join of all ten tables and 2 ms for both. Call it after the
    check of the right to the draft, so that hidden and missing drafts cost the same queries (S46).
    """
    if draft.post_id is not None:
        draft.post = next(iter(_post(draft.post_id)))


@prepared
def _post(post_id: UUID) -> QuerySet[Post]:
    return Post.objects.filter(pk=post_id).select_related("organisation__area__issuing_organisation")


def stale() -> QuerySet[OrderDraft]:
    """Returns drafts with a photo that are not submitted and were not changed for ORDER_DRAFT_DAYS days."""
    before = clock.now() - dt.timedelta(days=settings.ORDER_DRAFT_DAYS)
    return OrderDraft.objects.filter(~Q(state=DraftState.SUBMITTED), photo__isnull=False, updated_at__lt=before).order_by("id")


@prepared
def _visible_post(actor: Actor, post_id: UUID) -> QuerySet[Post, Any]:
    return Post.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD).filter(pk=post_id).values_list("pk")


def answers(*, actor: Actor, draft: OrderDraft) -> Answers:
    """Checks every answer of the draft, loaded by `with_answers`, with the order's own rules."""
    answered: set[Step] = set()
    problems: dict[Step, str] = {}
    customisation = None
    post, article, office = draft.post, draft.article, draft.office
    if post is not None:
        try:
            if not _visible_post(actor, post.pk):
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
    if draft.replacement_reason:
        answered.add(Step.REPLACEMENT)
    if post is not None and office is not None:
        if office in order_checks.open_offices(post.organisation_id):
            answered.add(Step.OFFICE)
        else:
            problems[Step.OFFICE] = f"Kontoret {office.name} är stängt eller inte kopplat till organisationen. Välj ett annat."
    photo, replaces = article.photo if article else None, draft.replaced_carrier_id is not None
    return Answers(frozenset(answered), problems, photo, customisation, replaces)
