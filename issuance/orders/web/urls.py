"""URLs of orders: a draft's page, its pictures, what starts and ends it, the sent order, eIDs that
holders fetch, and bundles of reserve cards.
"""

from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from issuance.authz import Action
from issuance.orders.web import bundles, drafts, eid_orders, letters, order, pictures, remaking, sent
from issuance.records.web.places import ORGANISATION, ORGANISATION_PATH, Function, TabEntry

DRAFT = "bestallning/<uuid:draft_id>"
_BUNDLE = "administrera/bunt/<uuid:order_id>"
urlpatterns: list[URLPattern] = [
    path("sok/person/<uuid:person_id>/nytt-kort/", drafts.start, name="order_start"),
    path("sok/barare/<uuid:carrier_id>/ersatt/", drafts.replace, name="carrier_replace"),
    path(f"{DRAFT}/", order.order, name="order"),
    path(f"{DRAFT}/foto/hamta/", order.upload, name="order_photo_upload"),
    path(f"{DRAFT}/foto/justera/", order.adjust, name="order_photo_adjust"),
    path(f"{DRAFT}/foto/<uuid:photo_id>.jpg", pictures.photo, name="order_photo_image"),
    path(f"{DRAFT}/logotyp/<uuid:post_id>.png", pictures.logotype, name="order_logotype_image"),
    path(f"{DRAFT}/avbryt/", drafts.abandon, name="order_abandon"),
    path(f"{DRAFT}/borja-om/", drafts.restart, name="order_restart"),
    path(f"{DRAFT}/klart/", sent.done, name="order_done"),
    path(f"{DRAFT}/<slug:step>/", drafts.step_of_old, name="order_step"),
    path("bestallning/fotoregler/", drafts.photo_rules, name="photo_rules"),
    path("sok/barare/<uuid:carrier_id>/puk-brev/", letters.puk_letter, name="puk_letter"),
    path("sok/puk-brev/<uuid:order_id>/", letters.ordered, name="puk_letter_ordered"),
    path("sok/barare/<uuid:carrier_id>/extra-siths-eid/", eid_orders.additional, name="eid_order"),
    path("sok/siths-eid/<uuid:eid_id>/uppdatera/", eid_orders.renew, name="eid_renew"),
    path("sok/siths-eid-bestallning/<uuid:order_id>/ta-bort/", eid_orders.withdraw, name="eid_order_withdraw"),
    path("sok/bestallning/<uuid:order_id>/ta-bort/", sent.cancel, name="order_cancel"),
    path("sok/bestallning/<uuid:order_id>/gor-om/", remaking.remake, name="order_remake"),
    path(f"{ORGANISATION_PATH}reservkort/", bundles.organisation_bundles, name="organisation_bundles"),
    path(f"{ORGANISATION_PATH}reservkort/bestall/", bundles.bundle_new, name="bundle_new"),
    path(f"{_BUNDLE}/", bundles.bundle, name="bundle"),
    path(f"{_BUNDLE}/ta-bort/", bundles.bundle_withdraw, name="bundle_withdraw"),
]

ORGANISATION.tabs.register(TabEntry("organisation_bundles", _("Reservkort"), 50))
ORGANISATION.functions.register(
    Function("bundle_new", _("Beställa bunt reservkort"), 20, Action.ORDER_RESERVE_BUNDLE, lambda head: not head.ended)
)
