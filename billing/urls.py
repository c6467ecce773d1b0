"""URLs of the pages of billing. They contain an invoice's number and a line's position, and no personal data."""

from billing.invoices.web import urls as invoices
from billing.runs.web import urls as runs

urlpatterns = [*runs.urlpatterns, *invoices.urlpatterns]
