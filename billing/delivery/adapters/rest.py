"""A Peppol access point over HTTP (wire format: docs/wire/README.md)."""

import base64
from pathlib import Path
from typing import Any

from django.conf import settings

from billing.delivery.ports import OutgoingDocument, Report, Status
from siths_portal.lib.errors import NotFound, Refused, Unavailable
from siths_portal.lib.http.client import Client, Reply

_PATH = "/outbound/v1/documents/{message_id}"
_LONGEST_REASON = 500


class RestAccessPoint:
    """`AccessPoint` at ACCESS_POINT_URL, with the bearer token of ACCESS_POINT_TOKEN_FILE if there is one."""

    def __init__(self, base_url: str = "") -> None:
        self._client = Client(base_url or settings.ACCESS_POINT_URL, max_bytes=64 * 1024)

    def submit(self, document: OutgoingDocument) -> Report:
        """Puts the document. The access point answers a repeated PUT of the same bytes like the first one."""
        body = document.head() | {"document": base64.b64encode(document.content).decode()}
        params = {"message_id": document.message_id}
        try:
            reply = self._client.request("PUT", _PATH, params=params, body=body, headers=_authorization())
        except NotFound as error:
            raise Unavailable("access-point-not-found", "Accesspunkten finns inte på sin adress.") from error
        except Refused as error:
            message = f"Accesspunkten tar inte emot dokumentet ({error.code})."
            raise Refused(error.code, message, status=error.status) from error
        return _report(reply, document)

    def status(self, document: OutgoingDocument) -> Report:
        """Gets the status of the document."""
        try:
            reply = self._client.get(_PATH, params={"message_id": document.message_id}, headers=_authorization())
        except NotFound:
            return Report(Status.UNKNOWN)
        return _report(reply, document)


def _authorization() -> dict[str, str]:
    path = settings.ACCESS_POINT_TOKEN_FILE
    return {"Authorization": f"Bearer {Path(path).read_text().strip()}"} if path else {}


def _report(reply: Reply, document: OutgoingDocument) -> Report:
    """Returns the report of a reply. Raises Unavailable if it does not follow the wire format."""
    stated: Any = reply.json()
    try:
        status, digest, reason = Status(stated["status"]), str(stated["sha256"]), str(stated.get("reason") or "")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Unavailable("access-point-bad-reply", "Accesspunkten svarar inte som den ska.") from None
    if digest != document.sha256:
        return Report(Status.UNKNOWN, "Accesspunkten svarar om ett annat dokument.")
    return Report(status, reason[:_LONGEST_REASON])
