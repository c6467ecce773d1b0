"""The list of the versions of an organisation's receipt text. It has no file: a version is text to be read on the page."""

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from issuance.receipt_texts.queries import ReceiptTexts, TextVersion
from siths_portal.lib.lists import Column, Empty, Key, Kind, List, Source


def _number(line: TextVersion) -> str:
    if not line.applies:
        return str(line.version)
    return format_html('{} <span class="subtle">{}</span>', line.version, _("(gäller)"))


def _text(line: TextVersion) -> str:
    return format_html('<span class="subtle">{}</span>', _("Samma som ovanför")) if line.from_above else line.text


class TextVersionList(List[TextVersion]):
    """The versions, the newest first."""

    counted_as = ngettext_lazy("{n} version", "{n} versioner")
    columns = (
        Column(
            key="version",
            heading=gettext_lazy("Version"),
            value=_number,
            kind=Kind.NUMBER,
            # Versions of an organisation are made one at a time, so they rise with the primary key.
            sort=Key("pk", indexed=False),
        ),
        Column(key="sparad", heading=gettext_lazy("Sparad"), value="at", kind=Kind.MOMENT),
        Column(key="av", heading=gettext_lazy("Av"), value="who"),
        Column(key="text", heading=gettext_lazy("Text"), value=_text, css="verbatim"),
    )
    table_id = fragment = "versioner"
    heading_level = "3"
    order = "-version"
    page_size = 20
    count_to = 0  # the newest version's number is the count
    empty = Empty(gettext_lazy("Ingen version än"), gettext_lazy("Varje gång texten sparas blir det en ny version."))

    def __init__(self, request: HttpRequest, found: ReceiptTexts) -> None:
        super().__init__(request)
        self.found = found

    def rows(self) -> Source[TextVersion]:
        """See `List`."""
        return self.found.versions
