"""URLs of the eID app API. They are complete here, because the OpenAPI description is generated from this module."""

from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from issuance.activation.api.v1 import views
from siths_portal.lib.rest import problem
from siths_portal.lib.rest.json_views import description_view

BASE = "api/eidapp/v1/"
urlpatterns = [
    path(f"{BASE}transaction/start", login_not_required(views.Start.as_view()), name="eidapp-start"),
    path(f"{BASE}transaction/certificates", login_not_required(views.Certificates.as_view()), name="eidapp-certificates"),
    path(f"{BASE}transaction/code-set", login_not_required(views.CodeSet.as_view()), name="eidapp-code-set"),
    path(f"{BASE}transaction/card-report", login_not_required(views.CardReports.as_view()), name="eidapp-card-report"),
    path(f"{BASE}transaction/complete", login_not_required(views.Complete.as_view()), name="eidapp-complete"),
    path(f"{BASE}transaction/cancel", login_not_required(views.Cancel.as_view()), name="eidapp-cancel"),
    path(
        f"{BASE}openapi.yaml",
        login_not_required(description_view(Path(__file__).with_name("openapi.yaml"))),
        name="eidapp-openapi",
    ),
    re_path(f"^{BASE}", csrf_exempt(login_not_required(problem.not_found))),
]
