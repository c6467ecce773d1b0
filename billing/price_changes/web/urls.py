"""URLs of prices, their entry in the menu, and their lines on Dagen."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from billing.price_changes.queries import day
from billing.price_changes.web import importing, views
from billing.records.web.page import MenuEntry, register_menu
from issuance.authz import Action
from siths_portal.lib.pages.day import SOURCES, Source

urlpatterns = [
    path("fakturor/priser/", views.price_list, name="prices"),
    path("fakturor/priser/nytt/", views.price_new, name="price_new"),
    *importing.PAGES.urlpatterns("fakturor/priser/fil/"),
    path("fakturor/priser/begaran/<uuid:change_id>/", views.price_request, name="price_request"),
    path("fakturor/priser/artikel/<slug:article_code>/", views.price, name="price"),
]

register_menu(MenuEntry(40, "prices", _("Priser"), Action.MANAGE_BILLING))
SOURCES.register(Source("billing.prices", 32, day.lines))
