"""Root urlconf of the portal."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.urls import path
from django.views.generic import TemplateView

from authn import urls as authn
from billing import urls as billing
from issuance import urls as issuance
from issuance.activation.api.v1 import urls as eidapp_v1
from siths_portal.lib.http import csp
from siths_portal.lib.monitoring import health
from siths_portal.lib.pages import error_pages
from siths_portal.wiring import component_sheet, frame

handler400 = error_pages.bad_request
handler403 = error_pages.permission_denied
handler404 = error_pages.page_not_found
handler500 = error_pages.server_error

urlpatterns = [
    *health.urls(database=health.database),
    *csp.urls(),
    path("", frame.start, name="start"),
    path("hjalp/", frame.help_page, name="help"),
    path("om-verktyget/", frame.about, name="about"),
    path(
        "tillganglighet/",
        login_not_required(
            TemplateView.as_view(
                template_name="portal/accessibility.html",
                extra_context={"operator_name": settings.OPERATOR_NAME, "contact": settings.ACCESSIBILITY_CONTACT, "tab": ""},
            )
        ),
        name="accessibility",
    ),
    *authn.urlpatterns,
    *issuance.urlpatterns,
    *eidapp_v1.urlpatterns,
    *billing.urlpatterns,
]

if settings.COMPONENT_SHEET:
    urlpatterns.append(path("komponenter/", component_sheet.component_sheet, name="component_sheet"))
