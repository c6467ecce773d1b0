"""Rate limits of machine clients' APIs (S47), and their headers (draft-ietf-httpapi-ratelimit-headers)."""

import math
import sys
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from siths_portal.lib.http.rate_limits import MinuteBudget
from siths_portal.lib.rest.json_views import client_ref

_budgets: defaultdict[str, MinuteBudget] = defaultdict(MinuteBudget)


@dataclass(frozen=True)
class RateLimit:
    """A client's calls a minute, how many of them are left in this minute, and the seconds until the next one."""

    most: int
    left: int
    seconds: int

    def headers(self) -> dict[str, str]:
        """Returns RateLimit-Policy and RateLimit."""
        return {"RateLimit-Policy": f'"minute";q={self.most};w=60', "RateLimit": f'"minute";r={self.left};t={self.seconds}'}


class ClientThrottle(BaseThrottle):
    """Limits a client's calls a minute, in each process. The view names the setting in `rate_setting`; views with the same one
    share the limit.

    Only registered clients are counted, so there are few keys. Sets `rate_limit` of the view, for the response's headers.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        """Returns whether the client has calls left in this minute, and counts one."""
        budget = _budgets[view.rate_setting]
        most: int = getattr(settings, view.rate_setting)
        allowed = budget.take(sys.maxsize, key=client_ref(request), most_of_key=most)
        self.seconds = budget.left()
        left = max(0, most - budget.used(client_ref(request)))
        view.rate_limit = RateLimit(most, left, math.ceil(self.seconds))
        return allowed

    def wait(self) -> float:
        """Returns the seconds until the next minute, for Retry-After."""
        return self.seconds
