"""Shared by all packages above: events and their history, state transitions, edits and the page frame."""
