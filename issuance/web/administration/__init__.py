"""Administrera: issuing areas, organisations and offices with what is set on them (domain.md 7)."""
