"""Shared by all packages above: events and their history, state transitions, edits, paging and the page frame."""
