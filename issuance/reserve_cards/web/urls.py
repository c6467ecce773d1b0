"""URLs of handing out reserve cards, and their line of Dagen."""

from django.urls import URLPattern, path

from issuance.reserve_cards.queries import day
from issuance.reserve_cards.web import approving, handing_out, signing
from siths_portal.lib.pages.day import SOURCES, Source

_STATEMENT = "reservkort/underskrift/<uuid:transaction_id>/"

urlpatterns: list[URLPattern] = [
    path("sok/person/<uuid:person_id>/reservkort/", handing_out.reserve_card, name="reserve_card"),
    path("reservkort/andra-person/", approving.waiting, name="reserve_cards_waiting"),
    path("reservkort/andra-person/<uuid:issue_id>/", approving.approve, name="reserve_card_approve"),
    path(_STATEMENT, signing.statement, name="reserve_card_statement"),
    path(f"{_STATEMENT}lage/", signing.state, name="reserve_card_statement_state"),
    path(f"{_STATEMENT}avbryt/", signing.cancel, name="reserve_card_statement_cancel"),
]

SOURCES.register(Source("reserve_cards", 5, day.lines))
