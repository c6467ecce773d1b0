"""How often a client may call each operation (S47)."""

import sys
from collections import defaultdict
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from siths_portal.lib.http.rate_limits import MinuteBudget
from siths_portal.lib.rest.json_views import client_ref

_budgets: defaultdict[str, MinuteBudget] = defaultdict(MinuteBudget)


class ClientThrottle(BaseThrottle):
    """Limits a client's calls of one operation a minute, in each process. The view names the setting in `rate_setting`.

    Only registered clients are counted, so there are few keys.
    """

    budget: MinuteBudget

    def allow_request(self, request: Request, view: Any) -> bool:
        """Returns whether the client has calls of this operation left in this minute, and counts one."""
        self.budget = _budgets[view.rate_setting]
        most: int = getattr(settings, view.rate_setting)
        return self.budget.take(sys.maxsize, key=client_ref(request), most_of_key=most)

    def wait(self) -> float:
        """Returns the seconds until the next minute, for Retry-After."""
        return self.budget.left()
