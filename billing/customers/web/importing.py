"""The pages that read the customers of a file: form, templates, preview and result."""

from django.utils.translation import gettext_lazy as _

from billing.customers.services.importing import CUSTOMER_IMPORTER
from billing.records.web.imports import ImportPages

PAGES = ImportPages(
    importer=CUSTOMER_IMPORTER,
    url_name="customer_import",
    here="customers",
    heading=_("Läs in kunder från fil"),
    lead=_("Läs in nya och ändrade kunduppgifter. Du ser först vad som blir av varje rad."),
    above=_("Kunder"),
)
