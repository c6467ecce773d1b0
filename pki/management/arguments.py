"""Arguments that the commands share."""

import argparse
import getpass

from django.core.management.base import CommandError

from pki.domain import serials
from pki.models import CaState, CertificateAuthority


def authority(name: str) -> CertificateAuthority:
    """The CA by slug (its newest generation) or common name. Raises CommandError with exit status 2."""
    known = CertificateAuthority.objects.exclude(state=CaState.PLANNED).order_by("-generation")
    found = known.filter(slug=name).first() or known.filter(common_name=name).first()
    if found is None:
        names = ", ".join(sorted(set(known.values_list("slug", flat=True)))) or "ingen"
        raise CommandError(f"ingen utfärdare heter {name}; det finns: {names}", returncode=2)
    return found


def serial(text: str) -> int:
    """A serial in hex, with or without colons. Raises argparse.ArgumentTypeError."""
    try:
        return serials.number(text.replace(":", ""))
    except ValueError:
        raise argparse.ArgumentTypeError("ett serienummer är hexadecimalt, större än noll och högst 20 oktetter") from None


def operator_ref() -> str:
    """Who runs the command, for events."""
    return f"operator:{getpass.getuser()}"
