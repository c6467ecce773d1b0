"""What a person was filling in when the session ended, until the next log-in of the same person (docs/adr/0070).

It is kept on the server and not in the browser: several people share a clerk's computer.
"""

import datetime as dt

from authn.models import KeptForm
from siths_portal.lib import clock

LONGEST = 20_000
KEPT_FOR = dt.timedelta(hours=2)


def keep(subject_ref: str, path: str, form: str) -> bool:
    """Keeps the encoded `form` of the page at `path` in place of the person's earlier one. Returns False if it is too long."""
    if len(form) > LONGEST:
        return False
    KeptForm.objects.update_or_create(subject_ref=subject_ref, defaults={"path": path, "form": form, "kept_at": clock.now()})
    return True


def take(subject_ref: str) -> tuple[str, str] | None:
    """Returns path and form, once; None if there is none or it is too old."""
    row = KeptForm.objects.filter(subject_ref=subject_ref).first()
    if row is None:
        return None
    row.delete()
    return (row.path, row.form) if row.kept_at > clock.now() - KEPT_FOR else None


def forget(*subject_refs: str) -> None:
    """Deletes what is kept of these people."""
    KeptForm.objects.filter(subject_ref__in=subject_refs).delete()


def forget_old() -> None:
    """Deletes what nobody came back for."""
    KeptForm.objects.filter(kept_at__lte=clock.now() - KEPT_FOR).delete()
