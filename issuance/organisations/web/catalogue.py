"""The catalogue asked about an organisation that a form saves; what differs is told, and saved over knowingly (ADR 0251)."""

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _

from issuance.organisations.services import organisation_catalogue
from issuance.organisations.services.organisation_catalogue import Differs, Known, Said
from issuance.organisations.services.organisations import OrganisationData
from issuance.records.web.forms import DESPITE


class Asking:
    """One form's question. `to_read` is the answer that has to be ticked, for `components/form.html`; empty if none."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.to_read = ""

    def said(self, data: OrganisationData, *, before: Known | None = None) -> str:
        """What the catalogue said, for the event. A silent one is told on the next page. Raises Invalid, Differs."""
        try:
            answer = organisation_catalogue.asked(data, before=before, read=self._request.POST.get(DESPITE, ""))
        except Differs as error:
            self.to_read = error.answer
            raise
        if answer == Said.SILENT:
            told = _("Katalogen svarar inte just nu, så HSA-id, organisationsnummer och namn är inte kontrollerade mot den.")
            messages.warning(self._request, told)
        return answer
