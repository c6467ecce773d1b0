"""URLs of register care, and its line of Dagen."""

from django.urls import URLPattern, path

from issuance.register_care.queries import day
from issuance.register_care.web import row, views
from siths_portal.lib.pages.day import SOURCES, Source

urlpatterns: list[URLPattern] = [
    path("registervard/", views.register_care, name="register_care"),
    path("registervard/rad/<uuid:item_id>/", row.work_item, name="work_item"),
    path("registervard/<slug:slug>/", views.register_care_list, name="register_care_list"),
]

SOURCES.register(Source("register_care", 30, day.lines))
