"""Metrics of the nightly comparison: whether it is late, and whether the register answered (docs/alarms.md)."""

from issuance.register_care.models import CareRun
from issuance.register_care.services import nightly
from siths_portal.lib import clock
from siths_portal.lib.monitoring import metrics

_LATE = metrics.gauge(
    "register_care_late_seconds",
    "How long the comparison with register and catalogue has been due without an end",
    mode="mostrecent",
)
_UNREAD = metrics.gauge(
    "register_care_register_unread",
    "1 if the last comparison found its causes without a whole reading of the register",
    mode="mostrecent",
)


def measure() -> None:
    """Sets the gauges."""
    last = CareRun.objects.filter(ended_at__isnull=False).order_by("-night").first()
    due = nightly.due_since()
    done = last is not None and last.night >= due.astimezone(clock.STOCKHOLM).date()
    _LATE.set(0 if done else (clock.now() - due).total_seconds())
    _UNREAD.set(0 if last is None or last.register_whole else 1)
