"""Addresses of the room search."""

from django.urls import path

from issuance.search.web import views

urlpatterns = [
    path("sok/", views.search, name="search"),
    path("sok/traffar/<uuid:search_id>/", views.hits, name="search_hits"),
]
