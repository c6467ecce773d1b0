"""The order wizard's view of a draft: the assignments to choose from, and the photo (rules/issuance 3.1)."""

from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from issuance.authz import Action, Actor
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.effective import effective_customisations
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
class PostChoice:
    """An assignment; `reason` is empty if it may be chosen."""

    post: Post
    reason: str


@dataclass(frozen=True)
class PostGroup:
    """The person's assignments under one top organisation."""

    name: str
    posts: list[PostChoice]


@dataclass(frozen=True)
class PhotoChoice:
    """The photo to review, `old` after five years. `stored` is the person's own photo if another one is shown."""

    photo: Photo | None
    years: int
    old: bool
    stored: Photo | None


def post_choices(*, actor: Actor, person_id: UUID) -> list[PostGroup]:
    """Returns the person's assignments in the clerk's scope that are still in the HSA directory, grouped by top organisation."""
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
    """Returns the draft's photo, else the person's stored one, with its age."""
    stored = Photo.objects.latest_of(draft.person_id)
    photo = draft.photo or stored
    if photo is None:
        return PhotoChoice(None, 0, old=False, stored=None)
    years = age_on(timezone.localtime(photo.uploaded_at).date(), clock.today())
    return PhotoChoice(photo, years, years >= PHOTO_OLD_YEARS, stored if stored is not None and stored.pk != photo.pk else None)
