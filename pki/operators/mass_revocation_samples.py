"""A sample of the certificates that a mass revocation would revoke, for a check before the request."""

import datetime as dt

from django.db.models import Exists

from pki.mass_revocation import selection as mass_selection
from pki.mass_revocation.selection import MassSelection
from pki.operators.certificate_search import CertificateLine, line, lines_of

SAMPLES = 5
"""The number of the oldest and of the newest certificates in the sample."""


def mass_revocation_samples(
    selection: MassSelection, *, as_of: dt.datetime, hidden: Exists | None = None
) -> tuple[CertificateLine, ...]:
    """Returns the oldest and the newest certificates of a selection counted at `as_of`, in the order of their ids.

    `hidden` is a condition on a certificate's `pk` for excluded ones. Raises Invalid, by field.
    """
    rows = lines_of(mass_selection.found(mass_selection.normal(selection), as_of), hidden)
    shown = {row.id: row for each in ("id", "-id") for row in rows.order_by(each)[:SAMPLES]}
    return tuple(line(shown[id_]) for id_ in sorted(shown))
