"""Addresses of the room ordering."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
