"""Reading single rows."""

from django.db.models import Model, QuerySet


def the_only[M: Model](rows: QuerySet[M]) -> M | None:
    """Returns the row of a queryset with at most one row, such as a filter by key, or None.

    `first()` would add ORDER BY; to build it Django compares every selected column, which with related rows takes longer than
    the query itself.
    """
    return next(iter(rows.order_by()[:1]), None)
