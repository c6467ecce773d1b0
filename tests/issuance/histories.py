"""Histories of persons and carriers as their pages read them."""

from issuance.records.queries.history import HistoryEntry, PersonHistory
from issuance.records.web.history import TIME
from siths_portal.lib.lists import Cursor, Order, Page


def page_of(found: PersonHistory, after: object = None, limit: int = 50) -> Page[HistoryEntry]:
    """Returns a page of a history, the newest first."""
    return found.page(Order(TIME.key, descending=True), TIME.by, Cursor(str(after)) if after else None, limit)


def entries_of(found: PersonHistory) -> tuple[HistoryEntry, ...]:
    """Returns the newest entries of a history."""
    return page_of(found).lines
