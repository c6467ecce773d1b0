"""URLs of the PKI API. They are complete here, so that the OpenAPI description of this module has complete URLs."""

from pathlib import Path

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from pki.clients.api.v1 import views
from siths_portal.lib.rest.json_views import description_view


class Serial(StringConverter):
    """A certificate's serial number: hexadecimal digits in either case."""

    regex = "[0-9A-Fa-f]{2,40}"


register_converter(Serial, "serial")

BASE = "api/pki/v1/"
urlpatterns = [
    path(f"{BASE}certificates", views.Certificates.as_view(), name="pki-certificates"),
    path(f"{BASE}certificates/search", views.Search.as_view(), name="pki-search"),
    path(f"{BASE}certificates/<slug:issuer>/<serial:serial>", views.OneCertificate.as_view(), name="pki-certificate"),
    path(f"{BASE}revocations", views.Revocations.as_view(), name="pki-revocations"),
    path(f"{BASE}openapi.yaml", description_view(Path(__file__).with_name("openapi.yaml")), name="pki-openapi"),
]
