"""Imports of users' files: columns declared once give templates, reading, faults and preview (docs/imports.md).

Commands that import large files use `row_faults`, `lib.files.lines` and `lib.database.locks`, not the rest.
"""
