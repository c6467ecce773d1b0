"""URLs of revocation: of a card, of one eID, of everything of a person, and their results."""

from django.urls import URLPattern, path

from issuance.revocation.web import held, paper, views, whole_person

urlpatterns: list[URLPattern] = [
    path("sok/sparrar-som-vantar/", held.held_revocations, name="held_revocations"),
    path("sok/sparrblanketter/", paper.paper_revocations, name="paper_revocations"),
    path("sok/barare/<uuid:carrier_id>/sparra/", views.carrier_revoke, name="carrier_revoke"),
    path("sok/barare/<uuid:carrier_id>/sparrad/", views.carrier_revoked, name="carrier_revoked"),
    path("sok/sithseid/<uuid:eid_id>/sparra/", views.eid_revoke, name="eid_revoke"),
    path("sok/sithseid/<uuid:eid_id>/sparrad/", views.eid_revoked, name="eid_revoked"),
    path("sok/person/<uuid:person_id>/sparra-allt/", whole_person.person_revoke, name="person_revoke"),
    path("sok/person/<uuid:person_id>/allt-sparrat/", whole_person.person_revoked, name="person_revoked"),
]
