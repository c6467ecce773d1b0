"""Imports of files: what importers share, from the faults of a row to the preview of a plan."""
