"""URLs of files of users, with the functions on areas. They contain only ids and names of tables."""

from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from issuance.authz import Action
from issuance.imports.web import cards, exporting, importing
from issuance.records.web.places import AREA, AREA_PATH, ORGANISATION_PATH, Function

_FILES = "administrera/import/"
_CARDS = "administrera/aldre-kort/"

urlpatterns: list[URLPattern] = [
    path(_FILES, importing.setup_import_start, name="setup_import"),
    path(f"{_FILES}mall.xlsx", exporting.setup_template_xlsx, name="setup_template_xlsx"),
    path(f"{_FILES}mall-<slug:kind>.csv", exporting.setup_template_csv, name="setup_template_csv"),
    path(f"{_FILES}<uuid:import_id>/", importing.setup_import_preview, name="setup_import_preview"),
    path(_CARDS, cards.carrier_import_start, name="carrier_import"),
    path(f"{_CARDS}mall.xlsx", cards.carrier_template_xlsx, name="carrier_template_xlsx"),
    path(f"{_CARDS}mall.csv", cards.carrier_template_csv, name="carrier_template_csv"),
    path(f"{_CARDS}<uuid:import_id>/", cards.carrier_import_preview, name="carrier_import_preview"),
    path(f"{AREA_PATH}export.xlsx", exporting.area_export_xlsx, name="area_export_xlsx"),
    path(f"{AREA_PATH}export-<slug:kind>.csv", exporting.area_export_csv, name="area_export_csv"),
    path(f"{ORGANISATION_PATH}export.xlsx", exporting.organisation_export_xlsx, name="organisation_export_xlsx"),
    path(f"{ORGANISATION_PATH}export-<slug:kind>.csv", exporting.organisation_export_csv, name="organisation_export_csv"),
]

AREA.functions.register(
    Function(
        "setup_import",
        _("Importera från fil"),
        40,
        Action.LINK_OFFICE,
        address=lambda _head: reverse("setup_import"),
    ),
    Function("area_export_xlsx", _("Exportera till Excel"), 50),
)
