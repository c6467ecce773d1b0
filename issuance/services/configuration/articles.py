"""Articles and who may order them (domain.md 7.7)."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from issuance.authz import Action, Actor, policy
from issuance.models import Article, Event, Organisation, OrganisationArticle
from issuance.services.configuration._editing import record
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid


@dataclass(frozen=True)
class ArticleData:
    """An article as it is registered; its code is the number, with `-REK` for the registered-mail variant."""

    number: str
    name: str
    kind: str
    orientation: str
    photo: bool
    registered_mail: bool
    valid_from: dt.date

    @property
    def code(self) -> str:
        """The article's code."""
        return f"{self.number}-REK" if self.registered_mail else self.number


@transaction.atomic(durable=True)
def register_article(*, actor: Actor, article: ArticleData) -> Article:
    """Adds an article; the same again changes nothing. Raises Forbidden, Conflict if the code is another article's."""
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    values = vars(article)
    row, made = Article.objects.get_or_create(code=article.code, defaults=values)
    if any(getattr(row, name) != value for name, value in values.items()):
        raise Conflict("article-exists", "Artikelnumret finns redan med andra uppgifter.")
    if made:
        record(actor, "article.registered", row, name=article.name)
    return row


@transaction.atomic(durable=True)
def offer_article(*, actor: Actor, organisation_id: UUID, article_code: str, orderable: bool) -> None:
    """Sets whether an organisation may order an article (Beställningsbar). Raises NotFound, Forbidden, Invalid."""
    _offer(actor, _locked(actor, organisation_id), {article_code: orderable})


@transaction.atomic(durable=True)
def choose_articles(*, actor: Actor, organisation_id: UUID, shown: Collection[str], picked: Collection[str]) -> int:
    """Makes the orderable articles `picked` of `shown`, those that the actor saw ticked; returns how many changed.

    What he did not touch stays as others may have set it meanwhile. Raises NotFound, Forbidden, Invalid for one that is unknown
    or no longer sold.
    """
    organisation = _locked(actor, organisation_id)
    added, removed = set(picked) - set(shown), set(shown) - set(picked)
    today = clock.today()
    sold = Article.objects.filter(Q(valid_to=None) | Q(valid_to__gte=today), pk__in=added)
    if sold.count() < len(added):
        message = "Artikeln säljs inte längre. Välj en annan."
        raise Invalid("article-ended", message, fields={"article": [message]})
    return _offer(actor, organisation, {**dict.fromkeys(added, True), **dict.fromkeys(removed, False)})


def _locked(actor: Actor, organisation_id: UUID) -> Organisation:
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    return policy.get(actor, Action.CHOOSE_ARTICLES, rows, organisation_id)


def _offer(actor: Actor, organisation: Organisation, wanted: Mapping[str, bool]) -> int:
    """Sets the ticks that differ, each with its event; the organisation is locked."""
    if Article.objects.filter(pk__in=wanted).count() < len(wanted):
        message = "Artikeln finns inte."
        raise Invalid("unknown-article", message, fields={"article": [message]})
    there = dict(OrganisationArticle.objects.filter(organisation=organisation).values_list("article_id", "orderable"))
    changed = {code: orderable for code, orderable in sorted(wanted.items()) if there.get(code) is not orderable}
    OrganisationArticle.objects.bulk_create(
        (OrganisationArticle(organisation=organisation, article_id=code, orderable=on) for code, on in changed.items()),
        update_conflicts=True,
        unique_fields=["organisation", "article"],
        update_fields=["orderable"],
    )
    Event.record_each(
        ((str(organisation.id), {"article": code, "orderable": on}) for code, on in changed.items()),
        at=clock.now(),
        actor_ref=actor.ref,
        action="organisation.article_set",
        subject_type="organisation",
    )
    return len(changed)
