"""URLs of search, extended searches and the list of holders, with their entries on areas and organisations."""

from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from issuance.authz import Action
from issuance.records.web.places import AREA, AREA_PATH, ORGANISATION, ORGANISATION_PATH, Function, TabEntry
from issuance.search.web import extended_searches, holders, views

urlpatterns: list[URLPattern] = [
    path("sok/", views.search, name="search"),
    path("sok/traffar/<uuid:search_id>/", views.hits, name="search_hits"),
    path(f"{AREA_PATH}utokade-sokningar/", extended_searches.area_extended_searches, name="area_extended_searches"),
    path(f"{ORGANISATION_PATH}innehavare/", holders.organisation_holders, name="organisation_holders"),
    path(f"{ORGANISATION_PATH}innehavare.csv", holders.organisation_holders_csv, name="organisation_holders_csv"),
]

AREA.functions.register(Function("area_extended_searches", _("Utökade sökningar"), 30, Action.ASSIGN_ROLE))
ORGANISATION.tabs.register(TabEntry("organisation_holders", _("Innehavare"), 40))
