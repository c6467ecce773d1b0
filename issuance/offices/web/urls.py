"""URLs of offices, with their functions on areas and organisations."""

from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from issuance.authz import Action
from issuance.offices.web import offices
from issuance.records.web.places import AREA, AREA_PATH, ORGANISATION, ORGANISATION_PATH, Function

_OFFICE = "administrera/kontor/<uuid:office_id>/"

urlpatterns: list[URLPattern] = [
    path(f"{AREA_PATH}nytt-kontor/", offices.office_new, name="office_new"),
    path(_OFFICE, offices.office, name="office"),
    path(f"{_OFFICE}redigera/", offices.office_edit, name="office_edit"),
    path(f"{_OFFICE}historik/", offices.office_history, name="office_history"),
    path(f"{_OFFICE}koppla-organisation/", offices.office_connect, name="office_connect"),
    path(f"{_OFFICE}stang/", offices.office_close, name="office_close"),
    path(f"{_OFFICE}oppna/", offices.office_reopen, name="office_reopen"),
    path(f"{ORGANISATION_PATH}kontor/", offices.organisation_offices, name="organisation_offices"),
]

AREA.configuration.register(Function("office_new", _("Skapa kontor"), 40, Action.EDIT_OFFICE))
ORGANISATION.configuration.register(Function("organisation_offices", _("Koppla kontor"), 20, Action.LINK_OFFICE))
