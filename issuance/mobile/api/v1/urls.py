"""URLs of the device API. They are complete here, because the OpenAPI description is generated from this module."""

from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from issuance.mobile.api.v1 import views
from siths_portal.lib.rest import problem
from siths_portal.lib.rest.json_views import description_view

BASE = "api/device/v1/"
urlpatterns = [
    path(f"{BASE}enrolment/start", login_not_required(views.Start.as_view()), name="device-start"),
    path(f"{BASE}enrolment/certificates", login_not_required(views.Certificates.as_view()), name="device-certificates"),
    path(f"{BASE}enrolment/code-set", login_not_required(views.CodeSet.as_view()), name="device-code-set"),
    path(f"{BASE}enrolment/complete", login_not_required(views.Complete.as_view()), name="device-complete"),
    path(f"{BASE}enrolment/cancel", login_not_required(views.Cancel.as_view()), name="device-cancel"),
    path(
        f"{BASE}openapi.yaml",
        login_not_required(description_view(Path(__file__).with_name("openapi.yaml"))),
        name="device-openapi",
    ),
    re_path(f"^{BASE}", csrf_exempt(login_not_required(problem.not_found))),
]
