"""Addresses of log-in and sessions on the portal (security.md 1.4-1.5)."""

from django.urls import path

from authn.web import login

urlpatterns = [
    path("logga-in/", login.login_page, name="login"),
]
