"""Lists by keyset, ordered by a column that the reader chose. The cursor is the last row's id, so no address holds a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, Model, Q, QuerySet

PAGE = 50


@dataclass(frozen=True)
class Order:
    """By which column a list is ordered: `key` is what addresses call it, `descending` the other way round."""

    key: str
    descending: bool = False

    @property
    def text(self) -> str:
        """As addresses tell it."""
        return f"-{self.key}" if self.descending else self.key


def order_of(text: str, columns: Mapping[str, str], usual: str) -> Order:
    """The order that an address tells; the usual one for what is no column's."""
    key = text.removeprefix("-")
    return Order(key, text.startswith("-")) if key in columns else Order(usual)


def page[M: Model](
    rows: QuerySet[M], *, column: str, descending: bool = False, after: UUID | None = None, limit: int = PAGE
) -> tuple[list[M], UUID | None]:
    """At most `limit` rows by `column` and then by id, beyond the row `after`; and where the next page goes on, None on the last.

    A row that is gone or out of sight begins from the start. `column` must not be null.
    """
    if after is not None:
        last = rows.filter(pk=after).values_list(column, flat=True).first()
        if last is not None:
            beyond = "lt" if descending else "gt"
            rows = rows.filter(Q(**{f"{column}__{beyond}": last}) | Q(**{column: last, f"pk__{beyond}": after}))
    by = F(column).desc() if descending else F(column).asc()
    found = list(rows.order_by(by, "-pk" if descending else "pk")[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None
