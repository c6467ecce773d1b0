"""Django's backend for PostgreSQL without the log of all queries that Django keeps while DEBUG is on.

The log costs a tenth of a page's CPU and keeps personal data of queries in memory. Whoever wants to see the queries of a block
uses `django.test.utils.CaptureQueriesContext`.
"""

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that logs queries only while somebody captures them."""

    @property
    def queries_logged(self) -> bool:
        """Whether queries are logged now."""
        return bool(self.force_debug_cursor)
