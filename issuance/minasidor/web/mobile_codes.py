"""Storage of the start code of a mobile eID in the session, from the act that creates it to the page that shows it.

The table holds the code's hash. The session holds a ciphertext that needs the browser's cookie. No URL contains it.
"""

import hmac
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest

from issuance.mobile.domain.states import EnrolmentState
from issuance.mobile.models import MobileEnrolment
from issuance.mobile.services import enrolments
from issuance.mobile.services.enrolling import Offered
from siths_portal.lib.http.compression import leave_uncompressed
from siths_portal.lib.pages import session_secrets

_KEY = "mobile_start_code"


def keep(request: HttpRequest, offered: Offered) -> None:
    """Stores the code of the enrolment; a session has one."""
    request.session[_KEY] = session_secrets.seal(_cookie(request), _KEY, offered.handle)


def forget(request: HttpRequest) -> None:
    """Deletes the code."""
    request.session.pop(_KEY, None)


def find(request: HttpRequest, row: MobileEnrolment, state: EnrolmentState) -> str:
    """Returns the code if a device can still take it, else "". Writes nothing. Excludes the response from compression."""
    leave_uncompressed(request)
    code = session_secrets.unseal(_cookie(request), _KEY, request.session.get(_KEY, ""))
    usable = state is EnrolmentState.OFFERED and hmac.compare_digest(enrolments.digest(code), row.handle_sha256)
    return code if usable else ""


def link(code: str) -> str:
    """Returns the app's URL with the code after `#`, which browsers do not send."""
    return f"{cast(Any, settings).EID_APP_URL}#{code}"


def _cookie(request: HttpRequest) -> str:
    return request.session.session_key or ""
