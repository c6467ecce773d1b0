"""Addresses of the room revocation."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
