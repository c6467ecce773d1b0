"""Compares the organisation in a form with the HSA directory. The user may save despite differences (ADR 0251)."""

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _

from issuance.organisations.services import organisation_catalogue
from issuance.organisations.services.organisation_catalogue import Differs, DirectoryMatch, Known
from issuance.organisations.services.organisations import OrganisationData
from issuance.records.web.forms import DESPITE


class DirectoryCheck:
    """The comparison for one request. `to_read` identifies the response that the user must confirm in `components/form.html`."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.to_read = ""

    def check(self, data: OrganisationData, *, before: Known | None = None) -> str:
        """Returns the result of the comparison for the event.

        Warns on the next page if the directory is silent. Raises Invalid, Differs.
        """
        try:
            match = organisation_catalogue.compare(data, before=before, confirmed=self._request.POST.get(DESPITE, ""))
        except Differs as error:
            self.to_read = error.digest
            raise
        if match == DirectoryMatch.SILENT:
            message = _("HSA-katalogen svarar inte just nu, så HSA-id, organisationsnummer och namn är inte kontrollerade.")
            messages.warning(self._request, message)
        return match
