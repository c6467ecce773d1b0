"""What is told of something that was just made, on the page from which its form was opened (ADR 0237)."""

from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html

from issuance.offices.models import Office
from issuance.organisations.models import Organisation
from issuance.organisations.queries import namesakes as query
from issuance.records.web.frame import actor_of


def tell(request: HttpRequest, text: str, made: Organisation | Office, url: str, *more: str) -> None:
    """Says on the next page what was made: `text`, where its name stands for `{name}` and leads to `url`, and then `more`.

    Also what else in the area bears the name.
    """
    before, after = text.split("{name}")
    namesakes = query.told(actor=actor_of(request), area_id=made.area_id, made=made)
    rest = " ".join(each for each in (after, *more, namesakes) if each)
    said = format_html('{}<a class="ds-link" href="{}">{}</a>{}', before, url, made.name, rest)
    messages.success(request, said)
