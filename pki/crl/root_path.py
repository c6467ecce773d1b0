"""The URL without a path, which certificates of an imported CA may have as OCSP URL (rules/pki 1.3)."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from pki.crl import web as published
from pki.ocsp import web as ocsp


@csrf_exempt
def root(request: HttpRequest) -> HttpResponseBase:
    """Answers OCSP requests by POST; otherwise shows the page of links."""
    return ocsp.respond(request) if request.method == "POST" else published.index(request)
