"""Deletes rows that the portal keeps for some hours: searches and what they made visible, dry runs, and uploaded files."""

import datetime as dt

from django.conf import settings

from issuance.imports.services import CARRIER_IMPORTER, SETUP_IMPORTER
from issuance.operators.services import certificate_searches, mass_revocations
from issuance.search.services import searching
from siths_portal.lib import clock


def delete_old() -> int:
    """Deletes searches and dry runs older than SEARCH_KEEP_HOURS, and expired extended scopes and uploaded files. Returns the
    number of rows.
    """
    before = clock.now() - dt.timedelta(hours=max(settings.SEARCH_KEEP_HOURS, 1))
    searched = searching.delete_old(before) + certificate_searches.delete_old(before)
    files = SETUP_IMPORTER.delete_expired() + CARRIER_IMPORTER.delete_expired()
    return searched + mass_revocations.delete_old_trials(before) + files
