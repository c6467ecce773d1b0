"""Rate limits per process and minute: of unauthenticated clients, who could fill tables or logs, of people and organisations."""

import datetime as dt
import threading

from django.conf import settings
from django.http import HttpRequest

from siths_portal.lib import clock

_MINUTE = dt.timedelta(minutes=1)


class MinuteBudget:
    """A limit of uses a minute, in total, for each key and for each group of keys. It remembers at most one of both a use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._start, self._used = clock.now(), 0
        self._of_key: dict[str, int] = {}
        self._of_group: dict[str, int] = {}

    def take(
        self, most: int, *, key: str = "", most_of_key: int | None = None, group: str = "", most_of_group: int | None = None
    ) -> bool:
        """Counts one use and returns True, or returns False if a limit is reached. A refused use is not counted.

        Without a `group` only the other two limits hold.
        """
        with self._lock:
            now = clock.now()
            if not self._start <= now < self._start + _MINUTE:
                self._start, self._used, self._of_key, self._of_group = now, 0, {}, {}
            of_key, of_group = self._of_key.get(key, 0), self._of_group.get(group, 0)
            if self._used >= most or (most_of_key is not None and of_key >= most_of_key):
                return False
            if group and most_of_group is not None and of_group >= most_of_group:
                return False
            self._used += 1
            self._of_key[key] = of_key + 1
            if group:
                self._of_group[group] = of_group + 1
            return True

    def used(self, key: str) -> int:
        """Returns the uses of the key in the present minute."""
        with self._lock:
            return self._of_key.get(key, 0) if self._start <= clock.now() < self._start + _MINUTE else 0

    def left(self) -> float:
        """Returns the seconds until the present minute ends and all counts start again."""
        with self._lock:
            return max(0.0, (self._start + _MINUTE - clock.now()).total_seconds())


def organisation(hsa_id: str) -> str:
    """Returns the organisation number in an HSA-id, by which the people of an organisation are counted; "" without an HSA-id."""
    return hsa_id.partition("-")[0].upper()


def address(request: HttpRequest) -> str:
    """Returns the client's address: the connection's, or the one that the first of TRUSTED_PROXIES reverse proxies reports."""
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if settings.TRUSTED_PROXIES > 0 and forwarded:
        return str(forwarded[-min(settings.TRUSTED_PROXIES, len(forwarded))])
    return str(request.META.get("REMOTE_ADDR", ""))
