"""URLs of card customisations, with their tab on organisations."""

from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from issuance.customisations.web import area_customisations, customisation_requests, customisations
from issuance.records.web.places import AREA_PATH, ORGANISATION, ORGANISATION_PATH, TabEntry

_OF_ORGANISATION = f"{ORGANISATION_PATH}kortanpassning/"
_REQUEST = f"{_OF_ORGANISATION}onskemal/"
_CUSTOMISATION = "administrera/kortanpassning/<uuid:customisation_id>/"

urlpatterns: list[URLPattern] = [
    path(f"{AREA_PATH}kortanpassningar/", area_customisations.area_customisations, name="area_customisations"),
    path("administrera/kortanpassningar/", customisations.customisations, name="customisations"),
    path("administrera/kortanpassningar/ny-generell/", customisations.generic_new, name="customisation_new_generic"),
    path(_OF_ORGANISATION, customisations.organisation_customisation, name="organisation_customisation"),
    path(f"{ORGANISATION_PATH}ny-kortanpassning/", customisations.customisation_new, name="customisation_new"),
    path(f"{ORGANISATION_PATH}ta-bort-kortanpassning/", customisations.customisation_give_up, name="customisation_give_up"),
    path(f"{_OF_ORGANISATION}ta-bort-ny/", customisations.customisation_withdraw, name="customisation_withdraw"),
    path(_REQUEST, customisation_requests.customisation_request, name="customisation_request"),
    path(f"{_REQUEST}klart/", customisation_requests.customisation_request_close, name="customisation_request_close"),
    path(f"{_OF_ORGANISATION}generell/", customisation_requests.customisation_use_generic, name="customisation_use_generic"),
    path(_CUSTOMISATION, customisations.customisation, name="customisation"),
    path(f"{_CUSTOMISATION}redigera/", customisations.customisation_edit, name="customisation_edit"),
    path(f"{_CUSTOMISATION}historik/", customisations.customisation_history, name="customisation_history"),
]

ORGANISATION.tabs.register(TabEntry("organisation_customisation", _("Kortanpassning"), 20))
