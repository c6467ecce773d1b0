"""Roles in one place for a time, requests for global roles, training and person check, and actors."""
