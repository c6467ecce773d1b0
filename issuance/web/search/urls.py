"""Addresses of the room search."""

from django.urls import path

from issuance.web.search import views

urlpatterns = [
    path("sok/", views.search, name="search"),
    path("sok/traffar/<uuid:search_id>/", views.hits, name="search_hits"),
]
