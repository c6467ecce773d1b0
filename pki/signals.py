"""What others may listen to. Sent after the commit, with ids only; a listener that fails does not disturb the others."""

from django.dispatch import Signal

# Arguments: secret_ids, a list of UUID. They were sealed or refused; a listener may be told twice, and finds what it missed by
# `service.secret_outcomes`.
secret_settled = Signal()

# Arguments: certificate_ids, a list of UUID. Revocation is final, so a listener may be told twice.
certificate_revoked = Signal()
