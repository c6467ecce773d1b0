"""Budgets of what strangers can cause: counted in this process and minute, so that they fill neither tables nor logs."""

import datetime as dt
import threading

from django.conf import settings
from django.http import HttpRequest

from siths_portal.lib import clock

_MINUTE = dt.timedelta(minutes=1)


class MinuteBudget:
    """So many uses a minute in all, and of one key. At most as many keys are remembered as there are uses."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._start, self._used = clock.now(), 0
        self._of_key: dict[str, int] = {}

    def take(self, most: int, *, key: str = "", most_of_key: int | None = None) -> bool:
        """Takes one use; False if the minute's are used up. A use that is refused takes nothing of the others' budget."""
        with self._lock:
            now = clock.now()
            if not self._start <= now < self._start + _MINUTE:
                self._start, self._used, self._of_key = now, 0, {}
            of_key = self._of_key.get(key, 0)
            if self._used >= most or (most_of_key is not None and of_key >= most_of_key):
                return False
            self._used += 1
            self._of_key[key] = of_key + 1
            return True

    def left(self) -> float:
        """Seconds until the present minute is over and everybody has the whole budget again."""
        with self._lock:
            return max(0.0, (self._start + _MINUTE - clock.now()).total_seconds())


def address(request: HttpRequest) -> str:
    """The caller's address: the connection's, or behind TRUSTED_PROXIES fronts the one that the first of them told."""
    told = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if settings.TRUSTED_PROXIES > 0 and told:
        return str(told[-min(settings.TRUSTED_PROXIES, len(told))])
    return str(request.META.get("REMOTE_ADDR", ""))
