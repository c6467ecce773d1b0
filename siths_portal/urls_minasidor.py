"""Root urlconf of the minasidor face."""

from django.urls import path
from django.views.generic import TemplateView

from siths_portal.lib import csp, health, pages

handler400 = pages.bad_request
handler403 = pages.permission_denied
handler404 = pages.page_not_found
handler500 = pages.server_error

urlpatterns = [
    *health.urls(database=health.database),
    *csp.urls(),
    path("", TemplateView.as_view(template_name="minasidor/start.html"), name="start"),
]
