"""Addresses of Administrera: ids that mean nothing, never a name or a number."""

from django.urls import URLPattern, path

from issuance.web.administration import overview

urlpatterns: list[URLPattern] = [
    path("administrera/", overview.overview, name="administration"),
]
