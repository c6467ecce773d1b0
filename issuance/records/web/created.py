"""The message about a row that a form has created, on the page from which the user opened it (docs/design.md#forms)."""

from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html

from issuance.offices.models import Office
from issuance.organisations.models import Organisation
from issuance.organisations.queries import namesakes as query
from issuance.records.web.frame import actor_of


def add_message(request: HttpRequest, text: str, made: Organisation | Office, url: str, *more: str) -> None:
    """Queues a message for the next page: `text` with a link to `url` in place of `{name}`, followed by `more`.

    The message ends with other places in the area that have the same name.
    """
    before, after = text.split("{name}")
    namesakes = query.sentence(actor=actor_of(request), area_id=made.area_id, made=made)
    rest = " ".join(each for each in (after, *more, namesakes) if each)
    message = format_html('{}<a class="ds-link" href="{}">{}</a>{}', before, url, made.name, rest)
    messages.success(request, message)
