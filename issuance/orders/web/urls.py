"""URLs of orders: a draft's five steps, its pictures, and the actions that start and end it."""

from django.urls import URLPattern, path

from issuance.orders.domain.drafts import Step
from issuance.orders.web import drafts, pictures, steps

DRAFT = "bestallning/<uuid:draft_id>"
urlpatterns: list[URLPattern] = [
    path("sok/person/<uuid:person_id>/nytt-kort/", drafts.start, name="order_start"),
    path(f"{DRAFT}/{Step.ORGANISATION}/", steps.organisation, name="order_organisation"),
    path(f"{DRAFT}/{Step.ARTICLE}/", steps.article, name="order_article"),
    path(f"{DRAFT}/{Step.PHOTO}/", steps.photo, name="order_photo"),
    path(f"{DRAFT}/{Step.PHOTO}/hamta/", steps.upload, name="order_photo_upload"),
    path(f"{DRAFT}/{Step.OFFICE}/", steps.office, name="order_office"),
    path(f"{DRAFT}/{Step.REVIEW}/", steps.review, name="order_review"),
    path(f"{DRAFT}/foto.jpg", pictures.photo, name="order_photo_image"),
    path(f"{DRAFT}/logotyp.png", pictures.logotype, name="order_logotype_image"),
    path(f"{DRAFT}/avbryt/", drafts.abandon, name="order_abandon"),
    path(f"{DRAFT}/borja-om/", drafts.restart, name="order_restart"),
    path("bestallning/fotoregler/", drafts.photo_rules, name="photo_rules"),
    path("sok/bestallning/<uuid:order_id>/ta-bort/", drafts.cancel, name="order_cancel"),
]
