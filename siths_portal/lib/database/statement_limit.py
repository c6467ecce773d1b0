"""A limit on the time of each database statement of a process."""

from django.db import connections


def limit_statements(seconds: float) -> None:
    """Lets PostgreSQL cancel each later statement of this process that takes longer. Django raises OperationalError then, which
    sites and APIs answer with 503, and the thread is free again.
    """
    for alias in connections:
        options = connections[alias].settings_dict["OPTIONS"]
        options["options"] = f"{options.get('options', '')} -c statement_timeout={int(seconds * 1000)}ms".strip()
        connections[alias].close()
