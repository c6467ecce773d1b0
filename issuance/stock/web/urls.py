"""URLs of the stock of reserve cards, and its lines of Dagen."""

from django.urls import URLPattern, path

from issuance.stock.queries import day
from issuance.stock.web import cards, losing, offices, receiving
from siths_portal.lib.pages.day import SOURCES, Source

_OFFICE = "reservkort/kontor/<uuid:office_id>/"

urlpatterns: list[URLPattern] = [
    path("reservkort/", offices.stock, name="stock"),
    path(_OFFICE, offices.office_stock, name="office_stock"),
    path(f"{_OFFICE}rakna/", offices.stock_count, name="stock_count"),
    path(f"{_OFFICE}lagergrans/", offices.stock_level, name="stock_level"),
    path("reservkort/bunt/<uuid:order_id>/ta-emot/", receiving.stock_receive, name="stock_receive"),
    path("reservkort/bunt/<uuid:order_id>/forlorad/", losing.stock_lost, name="stock_lost"),
    path("reservkort/kort/<uuid:card_id>/", cards.stock_card, name="stock_card"),
]

SOURCES.register(Source("stock", 20, day.lines))
