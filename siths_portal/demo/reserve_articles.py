"""What the portal needs before the demo's reserve cards can be ordered."""

from issuance.articles.models import Article
from issuance.articles.services.articles import ArticleData, offer_article, register_article
from issuance.organisations.models import Organisation
from siths_portal.demo.places import SETUP, SINCE

ARTICLE = "573"
PLACE = "TST2120001561-1000"
"""The organisation of the demo's bundle, whose office has a delivery address."""


def offer(organisation: Organisation) -> None:
    """Registers the article, and offers it to the organisation. Can be repeated."""
    if not Article.objects.filter(code=ARTICLE).exists():
        article = ArticleData(ARTICLE, "Reservkort", "reserve", "portrait", False, False, SINCE, assurance_level=2)
        register_article(actor=SETUP, article=article)
    if not organisation.articles.filter(article=ARTICLE, orderable=True).exists():
        offer_article(actor=SETUP, organisation_id=organisation.pk, article_code=ARTICLE, orderable=True)
