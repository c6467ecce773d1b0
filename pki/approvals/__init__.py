"""Dual control: one person requests, others approve, and the approved act is carried out once (rules/pki 7.1).

Start in `dual_control`. The names below are for the operators' pages, which read requests through `pki.operators.approvals`.
"""

from pki.approvals.dual_control import LIFETIME, REQUIRED, decide, withdraw
from pki.models import ApprovalAction, ApprovalState, Decision

__all__ = ["LIFETIME", "REQUIRED", "ApprovalAction", "ApprovalState", "Decision", "decide", "withdraw"]
