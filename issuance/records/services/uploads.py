"""The budget of files that one person sends, which a person who works never meets (S47, ADR 0088)."""

from django.conf import settings

from issuance.authz import Actor
from siths_portal.lib.errors import TooManyRequests
from siths_portal.lib.http.rate_limits import MinuteBudget

_FILES = MinuteBudget()


def spend(actor: Actor) -> None:
    """Passes if the actor may send one more file this minute, before anything of it is read; a file that is refused counts too.

    Raises TooManyRequests, with the seconds after which there is room again.
    """
    if not _FILES.take(settings.UPLOADS_PER_MINUTE, key=actor.ref, most_of_key=settings.UPLOADS_PER_MINUTE_BY_PERSON):
        wait = int(_FILES.left()) + 1
        seconds = "en sekund" if wait == 1 else f"{wait} sekunder"
        message = f"Portalen tar emot ett begränsat antal filer i minuten. Försök igen om {seconds}. Inget har ändrats."
        raise TooManyRequests("upload-budget", message, retry_after=wait, fields={"file": [message]})
