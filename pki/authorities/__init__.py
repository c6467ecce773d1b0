"""Certification authorities (CAs): states, profile versions, chains and CRL addresses (RFC 5280, rules/pki 1).

Start in `queries` for a CA's data, and in `ca_states` for how its state changes under dual control. The names below are for the
operators' pages, which read CAs through `pki.operators.authorities`.
"""

from pki.authorities.ca_states import carry_out_state_change, plan_state_change, target_states
from pki.domain.ca_states import is_final_state

__all__ = ["carry_out_state_change", "is_final_state", "plan_state_change", "target_states"]
