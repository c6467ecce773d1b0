"""Shared by all packages above: events and their history, steps of states, edits, paging, the page frame."""
