"""The base of the commands of `manage.py`."""

from django.core.management.base import BaseCommand

from siths_portal.lib.checks import TAG


class CheckedCommand(BaseCommand):
    """A command that starts only with safe settings (`lib.checks`).

    Django would also check models, templates and all URLs, which takes half a second. `make check` does that once for all.
    """

    requires_system_checks = [TAG]
