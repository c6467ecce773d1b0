"""Key ceremonies: a reviewed and signed YAML file makes CAs, or acts on a CA whose token is offline (rules/pki 7.2).

Start in `execution`, which performs a file step by step (`steps`); `signatures` verifies the approvers' detached CMS (RFC 5652).
The names below are for the operators' pages, which propose files, register signatures and read ceremonies.
"""

from pki.ceremonies.proposals import (
    ApproverView,
    ProposalRecord,
    ProposalView,
    open_proposals,
    proposal,
    propose,
    register_signature,
    withdraw_proposal,
)
from pki.ceremonies.queries import CeremonyRecord, CeremonyView, OutputView, ceremonies, ceremony
from pki.domain.ceremony_file import LONGEST_FILE

__all__ = [
    "LONGEST_FILE",
    "ApproverView",
    "CeremonyRecord",
    "CeremonyView",
    "OutputView",
    "ProposalRecord",
    "ProposalView",
    "ceremonies",
    "ceremony",
    "open_proposals",
    "proposal",
    "propose",
    "register_signature",
    "withdraw_proposal",
]
