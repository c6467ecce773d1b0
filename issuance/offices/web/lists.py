"""The lists on the pages of offices, and on the page that connects an organisation with offices."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from issuance.offices.queries import ConnectedLine
from issuance.organisations.queries.areas import OfficeLine
from siths_portal.lib.lists import Column, Empty, FormChoice, Kind, List, Source

_CELLS = "offices/cells.html"
_NAME = Column[ConnectedLine](
    key="namn",
    heading=_("Organisationsnamn"),
    value="name",
    sort="name",
    link=lambda line: reverse("organisation", args=[line.id]),
)
_IDS: Sequence[Column[ConnectedLine]] = (
    Column(
        key="nummer",
        heading=_("Organisationsnummer"),
        value="organisation_number",
        kind=Kind.NUMBER,
        sort="organisation_number",
    ),
    Column(key="id", heading=_("Organisations-id"), value="hsa_id", kind=Kind.NUMBER, css="whole", sort="hsa_id"),
)


class ConnectedOrganisationList(List[ConnectedLine]):
    """The organisations that may choose an office."""

    counted_as = ngettext_lazy("{n} organisation", "{n} organisationer")
    columns = (_NAME, *_IDS)
    table_id = "organisationer"
    fragment = "organisationer"
    order = "namn"
    count_to = 0
    heading_level = "3"

    def __init__(self, request: HttpRequest, found: Source[ConnectedLine]) -> None:
        super().__init__(request)
        self.found = found

    def rows(self) -> Source[ConnectedLine]:
        """See `List`."""
        return self.found


class OfficeOrganisationList(ConnectedOrganisationList):
    """The same on the office's page, where a form around it ends connections; `connect_url` is empty for who may not."""

    files = ("csv", "xlsx")

    def __init__(self, request: HttpRequest, found: Source[ConnectedLine], *, office: str, connect_url: str) -> None:
        super().__init__(request, found)
        self.file_name = f"organisationer {office}"
        self.empty = Empty(
            _("Ingen kopplad organisation"),
            _("Kontoret kan inte väljas i någon beställning förrän en organisation är kopplad."),
            connect_url,
            _("Koppla organisation"),
        )
        if connect_url:
            self.columns = (*self.columns, _disconnect("may_disconnect"))


class ConnectableOrganisationList(ConnectedOrganisationList):
    """The organisations that an office can be connected to, as the choices of a form."""

    columns = (replace(_NAME, link=None, choice=FormChoice(field="organisation")), *_IDS)
    caption = _("Organisationer")
    caption_hidden = True
    table_id = fragment = "koppla-val"
    heading_level = "2"

    def __init__(self, request: HttpRequest, found: Source[ConnectedLine], *, picked: Collection[str], office_url: str) -> None:
        super().__init__(request, found)
        self.picked = picked
        self.empty = Empty(
            _("Ingen organisation att koppla"),
            _("Alla organisationer som du får koppla kan redan välja kontoret."),
            office_url,
            _("Till kontoret"),
        )


def _disconnect(shown_if: str) -> Column[ConnectedLine | OfficeLine]:
    """The buttons that end a connection, where the line's `shown_if` is true."""
    return Column(
        key="koppla_bort",
        heading=_("Åtgärd"),
        value=shown_if,
        template=f"{_CELLS}#disconnect",
        heading_hidden=True,
        hide_empty=True,
        in_file=False,
    )


_OFFICE = Column[OfficeLine](
    key="namn", heading=_("Kontorets namn"), value="name", sort="name", template="organisations/office_cell.html"
)
_OFFICE_FACTS: Sequence[Column[OfficeLine]] = (
    Column(key="kommentar", heading=_("Fakturakommentar"), value="invoice_comment", css="row-name"),
    Column(key="adress", heading=_("Leveransadress"), value=lambda line: _("Ja") if line.has_address else _("Nej")),
)


class ConnectedOfficeList(List[OfficeLine]):
    """The offices that an organisation may choose, in a form that ends connections."""

    counted_as = ngettext_lazy("{n} kontor", "{n} kontor")
    columns = (_OFFICE, *_OFFICE_FACTS, _disconnect("id"))
    table_id = "kontor"
    fragment = "kontor"
    prefix = "kontor_"
    order = "namn"
    count_to = 0
    heading_level = "3"
    empty = Empty(_("Inget kopplat kontor"), _("Utan ett kopplat kontor kan inga kort beställas för organisationens personer."))

    def __init__(self, request: HttpRequest, found: Source[OfficeLine]) -> None:
        super().__init__(request)
        self.found = found

    def rows(self) -> Source[OfficeLine]:
        """See `List`."""
        return self.found


class ConnectableOfficeList(ConnectedOfficeList):
    """The offices that an organisation can be connected to, as the choices of a form."""

    columns = (replace(_OFFICE, template="", choice=FormChoice(field="office")), *_OFFICE_FACTS)
    table_id = fragment = "koppla"
    prefix = ""

    def __init__(self, request: HttpRequest, found: Source[OfficeLine], *, picked: Collection[str], new_url: str) -> None:
        super().__init__(request, found)
        self.picked = picked
        self.empty = Empty(
            _("Inget kontor att koppla"),
            _("Utgivningsområdet har inget öppet kontor som inte redan är kopplat."),
            new_url,
            _("Skapa kontor"),
        )
