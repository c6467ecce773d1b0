"""Single rows."""

from django.db.models import Model, QuerySet


def the_only[M: Model](rows: QuerySet[M]) -> M | None:
    """The row of a queryset that can have one at most, such as one by its key; None if there is none.

    `first()` would ask for an order as well, and to word that Django compares every selected column: with related rows it takes
    longer than the question.
    """
    return next(iter(rows.order_by()[:1]), None)
