"""A folder between the portal and an access point that fetches files from it and puts its answers there."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings

from billing.delivery.ports import OutgoingDocument, Report, Status
from siths_portal.lib.errors import Unavailable
from siths_portal.lib.files.atomic import write_atomically

_LONGEST_REASON = 500


class FolderAccessPoint:
    """`AccessPoint` in ACCESS_POINT_FOLDER.

    `out/<message id>.xml` is the document and `out/<message id>.json` its addresses, written last. The access point moves both
    away and writes its answer to `answers/<message id>.json`, with `status`, `sha256` and optionally `reason`.
    """

    def submit(self, document: OutgoingDocument) -> Report:
        """Writes the two files, unless an answer is already there."""
        if answer := _answer(document):
            return answer
        out = Path(settings.ACCESS_POINT_FOLDER) / "out"
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out.parent / "answers").mkdir(exist_ok=True)
            write_atomically(out / f"{document.message_id}.xml", document.content)
            write_atomically(out / f"{document.message_id}.json", json.dumps(document.head(), indent=1).encode())
        except OSError as error:
            raise Unavailable("access-point-folder", "Accesspunktens mapp går inte att skriva i.") from error
        return Report(Status.ACCEPTED)

    def status(self, document: OutgoingDocument) -> Report:
        """Reads the answer. The document counts as accepted until there is one."""
        return _answer(document) or Report(Status.ACCEPTED)


def _answer(document: OutgoingDocument) -> Report | None:
    """Returns the access point's answer, or None before it answers. Raises Unavailable if the file cannot be read."""
    path = Path(settings.ACCESS_POINT_FOLDER) / "answers" / f"{document.message_id}.json"
    try:
        stated: Any = json.loads(path.read_text())
        if stated["sha256"] != document.sha256:
            return Report(Status.UNKNOWN, "Accesspunkten svarar om ett annat dokument.")
        return Report(Status(stated["status"]), str(stated.get("reason") or "")[:_LONGEST_REASON])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable("access-point-folder", "Accesspunktens mapp går inte att läsa.") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unavailable("access-point-bad-reply", "Accesspunktens svar går inte att läsa.") from None
