"""The page behind the mTLS proxy where a card's certificate is asked for (rules/authn 1.5). It only sends people back."""

import structlog
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_safe

from authn import client_certificate
from authn.services import card_log_in
from authn.services.log_in import LogInRefused
from siths_portal.lib.http import rate_limits
from siths_portal.lib.pages import error_pages

log = structlog.get_logger(__name__)

_PRESENTED = rate_limits.MinuteBudget()


@require_safe
def present(request: HttpRequest) -> HttpResponse:
    """Redirects to the site where the log-in with `state` was begun, with a ticket or an error.

    400 without a readable certificate or without a log-in that waits for one; 429 beyond LOG_INS_PER_MINUTE_BY_ADDRESS.
    """
    if not _PRESENTED.take(
        settings.LOG_INS_PER_MINUTE, key=rate_limits.address(request), most_of_key=settings.LOG_INS_PER_MINUTE_BY_ADDRESS
    ):
        return error_pages.error_page(request, 429)
    try:
        certificate = client_certificate.presented(request.headers)
        if certificate is None:
            return error_pages.error_page(request, 400)
        target = card_log_in.present(request.GET.get("state", ""), certificate.public_bytes(Encoding.DER))
    except ValueError:
        log.warning("authn.certificate_unreadable")
        return error_pages.error_page(request, 400)
    except LogInRefused as refused:
        return error_pages.error_page(request, refused.status)
    response = HttpResponseRedirect(target)
    response.status_code = 303
    response["Cache-Control"] = "no-store"
    return response
