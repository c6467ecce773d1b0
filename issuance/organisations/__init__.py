"""Issuing areas and the tree of organisations: creating, editing, moving, closing, and earlier places in the tree."""
