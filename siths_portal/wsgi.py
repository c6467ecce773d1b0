"""WSGI application of each service; `SITHS_FACE` selects the service and its root urlconf."""

import os
from importlib import import_module
from typing import Any

from siths_portal.lib.http.whole_responses import whole
from siths_portal.lib.processes.call_stack import with_room
from siths_portal.lib.processes.loading import uncollected, without

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")

with uncollected():
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application

    _handler = get_wsgi_application()

    from siths_portal.lib import checks, ports  # needs the loaded applications
    from siths_portal.lib.database.statement_limit import limit_statements

    checks.stop_if_unsafe()
    limit_statements(settings.STATEMENT_SECONDS)
    ports.wire()  # a service with a wrong adapter must not start
    if settings.FACE in ("portal", "minasidor", "api"):
        # REST framework imports optional libraries, for clients and browsable pages that we do not have.
        with without("requests"), without("yaml"), without("pygments"):
            import_module("rest_framework.compat")
    import_module(settings.ROOT_URLCONF)  # a service with a broken urlconf must not start


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """Serves one request."""
    return whole(with_room(lambda: _handler(environ, start_response)))
