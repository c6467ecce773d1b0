"""Roles with their places and periods, requests for global roles, training and person checks, and actors."""
