"""Pages by name, for forms that list rows. Other lists use `siths_portal.lib.lists.List`."""

from uuid import UUID

from django.db.models import Model, QuerySet

from siths_portal.lib.lists import Cursor, Key, keyset

PAGE = 50


def page[M: Model](
    rows: QuerySet[M], *, column: str, descending: bool = False, after: UUID | None = None, limit: int = PAGE
) -> tuple[list[M], UUID | None]:
    """Returns at most `limit` rows by `column`, and the id after which the next page begins, None on the last page.

    An `after` that is gone or out of sight begins from the start. `column` must not be null.
    """
    cursor = Cursor(str(after)) if after else None
    found = keyset.page(rows, (Key(column, nullable=False),), descending=descending, cursor=cursor, limit=limit)
    return list(found.lines), found.next  # type: ignore[return-value]
