"""System checks of the PKI: faults that prevent the start, and checks that need the table of CAs."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import DatabaseError

from pki.models import CertificateAuthority
from siths_portal.lib.checks import TAG

DEMO_PREFIX = "DEMO "


@checks.register(checks.Tags.database)
def no_demo_authorities(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **_options: Any
) -> Iterator[checks.CheckMessage]:
    """Refuses demo CAs when DEBUG is off: relying parties cannot distinguish their certificates from real ones."""
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


@checks.register(TAG, checks.Tags.security)
def weak_keys_readable(app_configs: Sequence[Any] | None, **_options: Any) -> Iterator[checks.CheckMessage]:
    """Checks that the configured list of weak keys can be read, in all processes except the status services (B1.12)."""
    if not settings.PKI_WEAK_KEYS_FILE or settings.FACE == "status":
        return
    from pki.domain.weak_keys import WeakKeyFileError
    from pki.issuing import key_checks  # loads the modules that plan revocations; only a list needs it

    try:
        key_checks.read_weak_list(settings.PKI_WEAK_KEYS_FILE)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except WeakKeyFileError as error:
        reason = str(error)
    else:
        return
    yield checks.Error(
        f"PKI_WEAK_KEYS_FILE cannot be used: {reason}.",
        hint="Lines of SHA-256 of SubjectPublicKeyInfo, or of Debian's openssl-blacklist. Unset it to issue without a list.",
        id="pki.E002",
    )
