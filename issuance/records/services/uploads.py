"""The rate limit of file uploads per person and organisation, set above what a working person needs (S47, ADR 0088)."""

from django.conf import settings

from issuance.authz import Actor
from siths_portal.lib.errors import TooManyRequests
from siths_portal.lib.http.rate_limits import MinuteBudget, organisation

_FILES = MinuteBudget()


def spend(actor: Actor) -> None:
    """Counts one upload before any of the file is read, so a refused file counts too.

    Raises TooManyRequests, with the seconds to wait, if the actor, the actor's organisation or the process has used up this
    minute's uploads.
    """
    if not _FILES.take(
        settings.UPLOADS_PER_MINUTE,
        key=actor.ref,
        most_of_key=settings.UPLOADS_PER_MINUTE_BY_PERSON,
        group=organisation(actor.hsa_id),
        most_of_group=settings.UPLOADS_PER_MINUTE_BY_ORGANISATION,
    ):
        wait = int(_FILES.left()) + 1
        seconds = "en sekund" if wait == 1 else f"{wait} sekunder"
        message = f"Portalen tar emot ett begränsat antal filer i minuten. Försök igen om {seconds}. Inget har ändrats."
        raise TooManyRequests("upload-budget", message, retry_after=wait, fields={"file": [message]})
