"""URLs of Dagen and its lists, and the lines that issuance registers."""

from django.urls import URLPattern, path

from issuance.day.queries import places
from issuance.day.web import views
from siths_portal.lib.pages.day import SOURCES, Source

urlpatterns: list[URLPattern] = [
    path("dagen/", views.day, name="day"),
    path("dagen/skickade-kort/", views.sent, name="day_sent"),
    path("dagen/kort-utan-underskrift/", views.unsigned, name="day_unsigned"),
    path("dagen/bestallningar-att-gora-om/", views.orders, name="day_orders"),
    path("dagen/siths-eid-som-slutar-galla/", views.ending, name="day_ending"),
    path("dagen/siths-eid-att-hamta/", views.to_fetch, name="day_to_fetch"),
]

SOURCES.register(Source("issuance", 10, places.lines))
