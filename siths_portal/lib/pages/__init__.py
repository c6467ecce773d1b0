"""Shared code of HTML pages: forms, buttons, error pages, secrets in sessions."""
