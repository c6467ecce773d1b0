"""The line of Dagen about suspected false documents."""

import datetime as dt
from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from siths_portal.lib.pages.dates import in_words
from siths_portal.lib.pages.day import Line, Urgency


def lines_of(count: int, since: dt.datetime | None = None) -> Iterator[Line]:
    """Yields a line if `count`, the number of suspicions that wait for the user's judgement, is not 0. It names no person, but
    says `since` when the first of them waits.
    """
    if count:
        title = ngettext("{n} misstänkt falsk id-handling att bedöma", "{n} misstänkta falska id-handlingar att bedöma", count)
        yield Line(
            urgency=Urgency.TODAY,
            title=title.format(n=count),
            url=reverse("suspicions"),
            text=_(
                "En ID-administratör har stoppat ett besök. Kortet kan inte aktiveras eller låsas upp innan du har bedömt det."
            ),
            tag=_("Sedan {day}").format(day=in_words(since)) if since else "",
            icon="warning",
            action=_("Visa misstankarna"),
        )
