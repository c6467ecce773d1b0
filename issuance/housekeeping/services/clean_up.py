"""Deletion of rows that are kept for hours: searches, dry runs, people whom a search made visible, and uploaded set-up files."""

import datetime as dt

from django.conf import settings

from issuance.imports.services import SETUP_IMPORTER
from issuance.operators.services import certificate_searches, mass_revocations
from issuance.search.services import searching
from siths_portal.lib import clock


def delete_old() -> int:
    """Deletes searches and dry runs older than SEARCH_KEEP_HOURS, and expired extended scopes and set-up files. Returns the
    number of rows.
    """
    before = clock.now() - dt.timedelta(hours=max(settings.SEARCH_KEEP_HOURS, 1))
    searched = searching.delete_old(before) + certificate_searches.delete_old(before)
    return searched + mass_revocations.delete_old_trials(before) + SETUP_IMPORTER.delete_expired()
