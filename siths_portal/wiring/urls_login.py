"""Root urlconf of the log-in with a card's certificate, behind the mTLS proxy. It has no pages: it sends people back."""

from django.urls import path

from authn.web import card
from siths_portal.lib.monitoring import health
from siths_portal.lib.pages import error_pages

handler400 = error_pages.bad_request
handler403 = error_pages.permission_denied
handler404 = error_pages.page_not_found
handler500 = error_pages.server_error

urlpatterns = [
    *health.urls(database=health.database),
    path("logga-in/", card.present, name="present_card"),
]
