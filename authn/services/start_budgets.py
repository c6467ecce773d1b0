"""The rate limits of log-ins that are begun, counted in the table of attempts for all processes of the site (S47).

Each start has the user prompted at an identity provider, so neither one browser, nor the people of one organisation, nor all
together may begin them without end.
"""

import datetime as dt
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from authn.models import LogInAttempt, Session
from siths_portal.lib import clock
from siths_portal.lib.errors import TooManyRequests
from siths_portal.lib.http import rate_limits

_MINUTE = dt.timedelta(minutes=1)


def check(session_id: UUID) -> str:
    """Returns the organisation number in the HSA-id of the session's person, for the new attempt. Empty for visitors and holders.

    Raises TooManyRequests (`log-in-starts`): the browser has LOG_INS_PER_MINUTE_BY_SESSION log-ins of the last minute that did
    not end; logged-in people of the organisation have begun LOG_INS_PER_MINUTE_BY_ORGANISATION; everybody on this site has begun
    LOG_INS_PER_MINUTE_OF_SITE.
    """
    hsa_id = Session.objects.filter(pk=session_id).values_list("hsa_id", flat=True).first() or ""
    organisation = rate_limits.organisation(hsa_id)
    begun = LogInAttempt.objects.filter(started_at__gt=clock.now() - _MINUTE)
    if _has(begun.filter(session_id=session_id, used_at=None), settings.LOG_INS_PER_MINUTE_BY_SESSION):
        raise _too_many("Du har påbörjat inloggningen för många gånger. Vänta en minut och försök igen.")
    of_site = begun.filter(face=settings.FACE)
    of_organisation = of_site.filter(organisation=organisation)
    if (organisation and _has(of_organisation, settings.LOG_INS_PER_MINUTE_BY_ORGANISATION)) or _has(
        of_site, settings.LOG_INS_PER_MINUTE_OF_SITE
    ):
        raise _too_many("Många loggar in just nu. Vänta en minut och försök igen.")
    return organisation


def _has(rows: QuerySet[LogInAttempt], limit: int) -> bool:
    """Returns whether there are so many rows; counts no more than that."""
    return rows.order_by()[:limit].count() >= limit


def _too_many(message: str) -> TooManyRequests:
    return TooManyRequests("log-in-starts", message, retry_after=60)
