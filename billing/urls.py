"""URLs of the pages of billing. They contain an invoice's number and a line's position, and no personal data."""

from billing.invoices.web import urls as invoices  # registers the converters of numbers and positions

from billing.customers.web import urls as customers  # isort: skip
from billing.delivery.web import urls as delivery  # isort: skip
from billing.price_changes.web import urls as price_changes
from billing.runs.web import urls as runs

urlpatterns = [
    *runs.urlpatterns,
    *customers.urlpatterns,
    *price_changes.urlpatterns,
    *delivery.urlpatterns,
    *invoices.urlpatterns,
]
