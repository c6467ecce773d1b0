"""URLs of articles, with their functions on areas and organisations. The URL of an article has its code."""

from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from issuance.articles.web import area_articles, articles
from issuance.authz import Action
from issuance.records.web.places import AREA, AREA_PATH, ORGANISATION, ORGANISATION_PATH, Function

_ARTICLE = "administrera/artikel/<slug:code>/"

urlpatterns: list[URLPattern] = [
    path(f"{AREA_PATH}artiklar/", area_articles.area_articles, name="area_articles"),
    path(f"{ORGANISATION_PATH}artiklar/", articles.organisation_articles, name="organisation_articles"),
    path("administrera/artiklar/", articles.catalogue, name="articles"),
    path("administrera/artiklar/ny/", articles.article_new, name="article_new"),
    path(_ARTICLE, articles.article, name="article"),
    path(f"{_ARTICLE}redigera/", articles.article_edit, name="article_edit"),
    path(f"{_ARTICLE}historik/", articles.article_history, name="article_history"),
]

AREA.configuration.register(Function("area_articles", _("Välj artiklar för flera organisationer"), 50, Action.CHOOSE_ARTICLES))
ORGANISATION.configuration.register(Function("organisation_articles", _("Administrera artiklar"), 40, Action.CHOOSE_ARTICLES))
