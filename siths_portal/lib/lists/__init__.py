"""Lists: columns declared once give the table, sorting, keyset pages, filters, count and files (docs/lists.md, ADR 0345).

Applications import from here. The caller limits the rows to the user's scope; hooks of the list record disclosure.
"""

from siths_portal.lib.lists.columns import Column, FormChoice, Kind, Tag
from siths_portal.lib.lists.keyset import Cursor, Key, Order, Page
from siths_portal.lib.lists.listing import FILE_LIMITS, List
from siths_portal.lib.lists.rows import ByKey, Lines, Rows, Source
from siths_portal.lib.lists.shown import Cell, Chip, Empty, Shown, Text, View

__all__ = [
    "FILE_LIMITS",
    "ByKey",
    "Cell",
    "Chip",
    "Column",
    "Cursor",
    "Empty",
    "FormChoice",
    "Key",
    "Kind",
    "Lines",
    "List",
    "Order",
    "Page",
    "Rows",
    "Shown",
    "Source",
    "Tag",
    "Text",
    "View",
]
