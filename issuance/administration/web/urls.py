"""URLs of the overview of Administrera and of the change histories of areas and organisations, with their tabs."""

from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from issuance.administration.web import history, overview
from issuance.records.web.places import AREA, AREA_PATH, ORGANISATION, ORGANISATION_PATH, TabEntry

urlpatterns: list[URLPattern] = [
    path("administrera/", overview.overview, name="administration"),
    path(f"{AREA_PATH}historik/", history.area_history, name="area_history"),
    path(f"{ORGANISATION_PATH}historik/", history.organisation_history, name="organisation_history"),
]

AREA.tabs.register(TabEntry("area_history", _("Historik"), 100))
ORGANISATION.tabs.register(TabEntry("organisation_history", _("Historik"), 100))
