"""The pages that read the prices of a file: form, templates, preview and result."""

from django.utils.translation import gettext_lazy as _

from billing.price_changes.services.importing import PRICE_IMPORTER
from billing.records.web.imports import ImportPages

PAGES = ImportPages(
    importer=PRICE_IMPORTER,
    url_name="price_import",
    here="prices",
    heading=_("Läs in priser från fil"),
    lead=_("Varje rad blir en begäran som en kollega godkänner. Du ser först vad som blir av varje rad."),
    above=_("Priser"),
)
