"""URLs of orders: a draft's page, its pictures, what starts and ends it, and the sent order."""

from django.urls import URLPattern, path

from issuance.orders.web import drafts, order, pictures, sent

DRAFT = "bestallning/<uuid:draft_id>"
urlpatterns: list[URLPattern] = [
    path("sok/person/<uuid:person_id>/nytt-kort/", drafts.start, name="order_start"),
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
    path("sok/bestallning/<uuid:order_id>/ta-bort/", sent.cancel, name="order_cancel"),
]
