"""Arguments that several commands use."""

import argparse
import os
import pwd
from pathlib import Path

from django.core.management.base import CommandError

from pki.domain import serials
from pki.models import CaState, CertificateAuthority


def authority(name: str) -> CertificateAuthority:
    """Returns the CA with this slug (the newest generation) or common name. Raises CommandError with exit status 2."""
    known = CertificateAuthority.objects.exclude(state=CaState.PLANNED).order_by("-generation")
    found = known.filter(slug=name).first() or known.filter(common_name=name).first()
    if found is None:
        names = ", ".join(sorted(set(known.values_list("slug", flat=True)))) or "ingen"
        raise CommandError(f"ingen utfärdare heter {name}; det finns: {names}", returncode=2)
    return found


def serial(text: str) -> int:
    """Parses a serial in hex, with or without colons. Raises argparse.ArgumentTypeError."""
    try:
        return serials.number(text.replace(":", ""))
    except ValueError:
        raise argparse.ArgumentTypeError("ett serienummer är hexadecimalt, större än noll och högst 20 oktetter") from None


_LOGGED_IN = Path("/proc/self/loginuid")
_NOBODY = (1 << 32) - 1


def operator_ref() -> str:
    """Returns the operator for events: the user who logged in, which the kernel keeps under sudo, or else the process's user.

    Never uses the environment (LOGNAME, USER), where anybody could set another user's name.
    """
    number = _logged_in()
    number = os.getuid() if number is None else number
    try:
        return f"operator:{pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"operator:uid-{number}"


def _logged_in() -> int | None:
    """Returns the uid of the user who logged in; None for a process without a login, or if the kernel does not show it."""
    try:
        number = int(_LOGGED_IN.read_text())
    except (OSError, ValueError):
        return None
    return None if number == _NOBODY else number
