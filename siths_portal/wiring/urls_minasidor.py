"""Root urlconf of Mina sidor."""

from django.urls import path
from django.views.generic import TemplateView

from siths_portal.lib.http import csp
from siths_portal.lib.monitoring import health
from siths_portal.lib.pages import error_pages

handler400 = error_pages.bad_request
handler403 = error_pages.permission_denied
handler404 = error_pages.page_not_found
handler500 = error_pages.server_error

urlpatterns = [
    *health.urls(database=health.database),
    *csp.urls(),
    path("", TemplateView.as_view(template_name="minasidor/start.html"), name="start"),
]
