"""The public interface of billing: the run of a month, a line as it would be billed, and the check of issued invoices."""

from billing.invoices.services.integrity import verify_issued
from billing.runs.services.months import run_month
from billing.runs.services.preview import previewed_line

__all__ = ["previewed_line", "run_month", "verify_issued"]
