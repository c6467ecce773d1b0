"""URLs of revocation: of a card and of one eID, and their results."""

from django.urls import URLPattern, path

from issuance.revocation.web import held, views

urlpatterns: list[URLPattern] = [
    path("sok/sparrar-som-vantar/", held.held_revocations, name="held_revocations"),
    path("sok/barare/<uuid:carrier_id>/sparra/", views.carrier_revoke, name="carrier_revoke"),
    path("sok/barare/<uuid:carrier_id>/sparra-och-bestall/", views.carrier_replace, name="carrier_replace"),
    path("sok/barare/<uuid:carrier_id>/sparrad/", views.carrier_revoked, name="carrier_revoked"),
    path("sok/sithseid/<uuid:eid_id>/sparra/", views.eid_revoke, name="eid_revoke"),
    path("sok/sithseid/<uuid:eid_id>/sparrad/", views.eid_revoked, name="eid_revoked"),
]
