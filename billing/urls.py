"""URLs of the pages of billing. They contain an invoice's number and a line's position, and no personal data."""

from billing.credit.web import urls as credit
from billing.customers.web import urls as customers
from billing.delivery.web import urls as delivery
from billing.invoices.web import urls as invoices
from billing.payments.web import urls as payments
from billing.price_changes.web import urls as price_changes
from billing.runs.web import urls as runs

urlpatterns = [
    *runs.urlpatterns,
    *customers.urlpatterns,
    *price_changes.urlpatterns,
    *credit.urlpatterns,
    *delivery.urlpatterns,
    *payments.urlpatterns,
    *invoices.urlpatterns,
]
