"""Forms that people were filling in when their sessions ended, kept until they log in again (docs/adr/0070).

The form is kept on the server and not in the browser, because several people share an ID administrator's computer.
"""

import datetime as dt

from authn.models import KeptForm
from siths_portal.lib import clock

LONGEST = 20_000
KEPT_FOR = dt.timedelta(hours=2)


def keep(subject_ref: str, path: str, form: str) -> bool:
    """Keeps the encoded `form` of the page at `path` and replaces the person's earlier one. Returns False if it is too long."""
    if len(form) > LONGEST:
        return False
    KeptForm.objects.update_or_create(subject_ref=subject_ref, defaults={"path": path, "form": form, "kept_at": clock.now()})
    return True


def take(subject_ref: str) -> tuple[str, str] | None:
    """Returns path and form and deletes the row. Returns None if there is no form or it is older than KEPT_FOR."""
    row = KeptForm.objects.filter(subject_ref=subject_ref).first()
    if row is None:
        return None
    row.delete()
    return (row.path, row.form) if row.kept_at > clock.now() - KEPT_FOR else None


def forget(*subject_refs: str) -> None:
    """Deletes the kept forms of these people."""
    KeptForm.objects.filter(subject_ref__in=subject_refs).delete()


def forget_old() -> None:
    """Deletes forms older than KEPT_FOR."""
    KeptForm.objects.filter(kept_at__lte=clock.now() - KEPT_FOR).delete()
