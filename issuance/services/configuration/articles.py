"""Articles and who may order them (domain.md 7.7)."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.models import Article, Organisation, OrganisationArticle
from issuance.services.configuration._editing import record
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
    organisation = policy.get(actor, Action.CHOOSE_ARTICLES, Organisation.objects.all(), organisation_id)
    if not Article.objects.filter(pk=article_code).exists():
        message = "Artikeln finns inte."
        raise Invalid("unknown-article", message, fields={"article": [message]})
    row, made = OrganisationArticle.objects.select_for_update().get_or_create(
        organisation=organisation, article_id=article_code, defaults={"orderable": orderable}
    )
    if made or row.orderable != orderable:
        row.orderable = orderable
        row.save(update_fields=["orderable"])
        record(actor, "organisation.article_set", organisation, article=article_code, orderable=orderable)
