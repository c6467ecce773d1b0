"""URLs of receipt texts, with their tab and function on organisations."""

from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from issuance.authz import Action
from issuance.receipt_texts.web import views
from issuance.records.web.places import ORGANISATION, ORGANISATION_PATH, Function, TabEntry

urlpatterns: list[URLPattern] = [
    path(f"{ORGANISATION_PATH}kvittenstexter/", views.organisation_receipt_texts, name="organisation_receipt_texts"),
    path(f"{ORGANISATION_PATH}kvittenstext/", views.organisation_receipt_text, name="organisation_receipt_text"),
]

ORGANISATION.tabs.register(TabEntry("organisation_receipt_texts", _("Kvittenstext"), 30))
ORGANISATION.configuration.register(
    Function("organisation_receipt_text", _("Redigera kvittenstext"), 30, Action.EDIT_RECEIPT_TEXT)
)
