"""Searches for people and cards, extended searches, and lists of holders."""
