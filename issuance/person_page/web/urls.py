"""URLs of a person: the page, history, certificates and photo."""

from django.urls import URLPattern, path

from issuance.person_page.web import views

urlpatterns: list[URLPattern] = [
    path("sok/person/<uuid:person_id>/", views.person, name="person"),
    path("sok/person/<uuid:person_id>/historik/", views.person_history, name="person_history"),
    path("sok/person/<uuid:person_id>/foto/", views.person_photo, name="person_photo"),
    path("sok/barare/<uuid:carrier_id>/historik/", views.carrier_history, name="carrier_history"),
    path("sok/certifikat/<uuid:certificate_id>/", views.certificate, name="certificate"),
    path("sok/certifikat/<uuid:certificate_id>/certifikat.pem", views.certificate_pem, name="certificate_pem"),
]
