"""The list of an organisation's offices, which its page renders as a form."""

from django.http import HttpRequest

from issuance.organisations.queries.areas import OfficeLine
from siths_portal.lib.lists import List, Source


class OfficeList(List[OfficeLine]):
    """Offices by name."""

    columns = ()
    by = ("name",)
    prefix = "kontor_"
    count_to = 0

    def __init__(self, request: HttpRequest, found: Source[OfficeLine]) -> None:
        super().__init__(request)
        self.found = found

    def rows(self) -> Source[OfficeLine]:
        """See `List`."""
        return self.found
