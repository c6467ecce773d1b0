"""Addresses of the room person: the person's page, history, certificates, photo and receipts."""

from django.urls import URLPattern, path

from issuance.activation.web import receipts
from issuance.person_page.web import views

urlpatterns: list[URLPattern] = [
    path("sok/person/<uuid:person_id>/", views.person, name="person"),
    path("sok/person/<uuid:person_id>/historik/", views.person_history, name="person_history"),
    path("sok/person/<uuid:person_id>/foto/", views.person_photo, name="person_photo"),
    path("sok/barare/<uuid:carrier_id>/historik/", views.carrier_history, name="carrier_history"),
    path("sok/certifikat/<uuid:certificate_id>/", views.certificate, name="certificate"),
    path("sok/certifikat/<uuid:certificate_id>/certifikat.pem", views.certificate_pem, name="certificate_pem"),
    path("sok/barare/<uuid:carrier_id>/kvittens/", receipts.receipt, name="receipt"),
    path("sok/barare/<uuid:carrier_id>/kvittens.pdf", receipts.receipt_pdf, name="receipt_pdf"),
]
