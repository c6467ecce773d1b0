"""Addresses of the room activation."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
