"""Addresses of the room person."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
