"""Addresses of bulk set-up: ids that mean nothing, and the names of tables."""

from django.urls import URLPattern, path

from issuance.imports.web import exporting, importing

_FILES = "administrera/import/"
_AREA = "administrera/utgivningsomrade/<uuid:area_id>/"
_ORGANISATION = "administrera/organisation/<uuid:organisation_id>/"

urlpatterns: list[URLPattern] = [
    path(_FILES, importing.setup_import_start, name="setup_import"),
    path(f"{_FILES}mall.xlsx", exporting.setup_template_xlsx, name="setup_template_xlsx"),
    path(f"{_FILES}mall-<slug:kind>.csv", exporting.setup_template_csv, name="setup_template_csv"),
    path(f"{_FILES}<uuid:import_id>/", importing.setup_import_preview, name="setup_import_preview"),
    path(f"{_AREA}export.xlsx", exporting.area_export_xlsx, name="area_export_xlsx"),
    path(f"{_AREA}export-<slug:kind>.csv", exporting.area_export_csv, name="area_export_csv"),
    path(f"{_ORGANISATION}export.xlsx", exporting.organisation_export_xlsx, name="organisation_export_xlsx"),
    path(f"{_ORGANISATION}export-<slug:kind>.csv", exporting.organisation_export_csv, name="organisation_export_csv"),
]
