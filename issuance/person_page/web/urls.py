"""URLs of a person: the page, histories, certificates and photo."""

from django.urls import URLPattern, path

from issuance.person_page.web import histories, views

urlpatterns: list[URLPattern] = [
    path("sok/person/<uuid:person_id>/", views.person, name="person"),
    path("sok/person/<uuid:person_id>/historik/", histories.person_history, name="person_history"),
    path("sok/person/<uuid:person_id>/foto/", views.person_photo, name="person_photo"),
    path("sok/barare/<uuid:carrier_id>/historik/", histories.carrier_history, name="carrier_history"),
    path("sok/siths-eid/<uuid:eid_id>/historik/", histories.eid_history, name="eid_history"),
    path("sok/person/<uuid:person_id>/tittat/", histories.access_log, name="person_access_log"),
    path("sok/certifikat/<uuid:certificate_id>/", views.certificate, name="certificate"),
    path("sok/certifikat/<uuid:certificate_id>/certifikat.pem", views.certificate_pem, name="certificate_pem"),
]
