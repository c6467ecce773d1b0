"""Signals for other applications. Sent after the commit, with ids only; a failing receiver does not stop the others."""

from django.dispatch import Signal

# Arguments: secret_ids, a list of UUID. They were sealed or refused. A receiver may be called twice, and finds what it missed
# with `service.secret_outcomes`.
secret_settled = Signal()

# Arguments: certificate_ids, a list of UUID. Revocation is final, so a receiver may be called twice.
certificate_revoked = Signal()
