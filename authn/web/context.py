"""Context for templates/authn/session_*.html: how many seconds the session lasts from this page on, rounded up."""

import math
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from authn.services import sites
from siths_portal.lib import clock


def session(request: HttpRequest) -> dict[str, object]:
    """Returns the context. The session is read only if a template uses `session_left`."""

    def left() -> int:
        store: Any = request.session
        absolute = (store.row.expires_at - clock.now()).total_seconds() if store.row else 0
        idle = sites.site_of(store.row.subject_ref).idle_seconds if store.row else settings.SESSION_IDLE_SECONDS
        seconds: float = min(idle, max(0, absolute))
        return math.ceil(seconds)

    return {"session_left": left, "session_warning": settings.SESSION_WARNING_SECONDS}
