"""System checks that need the table of CAs."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import DatabaseError

from pki.models import CertificateAuthority

DEMO_PREFIX = "DEMO "


@checks.register(checks.Tags.database)
def no_demo_authorities(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **_options: Any
) -> Iterator[checks.CheckMessage]:
    """No CA of a demonstration when DEBUG is off: relying parties could not tell its certificates from real ones."""
    if settings.DEBUG or not databases:
        return
    try:
        names = list(
            CertificateAuthority.objects.filter(common_name__startswith=DEMO_PREFIX).values_list("common_name", flat=True)
        )
    except DatabaseError:
        return  # before the first migration there is no table
    if names:
        yield checks.Error(f"CAs of a demonstration: {', '.join(names)}.", hint="Use a database of its own.", id="pki.E001")
