"""A form field for date and time in Stockholm."""

import datetime as dt
from typing import Any, cast

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from siths_portal.lib import clock

_FORMAT = "%Y-%m-%dT%H:%M"
_WRONG = _("Ange datum och klockslag, till exempel 2026-11-25 13:45.")
# A fixed zone, because Django refuses hours that a zone with summer time skips or repeats.
_BY_THE_CLOCK = dt.timezone(dt.timedelta(0), "by the clock")


class MomentField(forms.DateTimeField):
    """A date and time in Stockholm. `missing` is the error message for an empty field.

    When summer time ends, a repeated hour means its second occurrence if that is in the past, otherwise the first. The hour that
    is skipped when summer time begins is an error.
    """

    def __init__(self, *, missing: Any = _WRONG, **options: Any) -> None:
        super().__init__(
            widget=forms.DateTimeInput(format=_FORMAT, attrs={"type": "datetime-local"}),
            input_formats=[_FORMAT, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
            error_messages={"required": missing, "invalid": _WRONG},
            **options,
        )

    def to_python(self, value: Any) -> dt.datetime | None:
        """Returns the moment with its time zone. Raises ValidationError."""
        with timezone.override(_BY_THE_CLOCK):
            read = super().to_python(value)
        if read is None or read.tzinfo is not _BY_THE_CLOCK:
            return read
        first, second = (read.replace(tzinfo=clock.STOCKHOLM, fold=fold) for fold in (0, 1))
        earlier, later = cast(dt.timedelta, first.utcoffset()), cast(dt.timedelta, second.utcoffset())
        if earlier < later:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return second if earlier > later and second.astimezone(dt.UTC) <= clock.now() else first


def this_minute() -> dt.datetime:
    """Returns the current minute in Stockholm, as the initial value of a form."""
    return clock.now().astimezone(clock.STOCKHOLM).replace(second=0, microsecond=0)
