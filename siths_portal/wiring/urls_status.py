"""Root urlconf of the status service: OCSP, CRLs and CA certificates, over plain http by design (RFC 5280 section 8)."""

from django.urls import path, re_path

from pki.crl import root_path
from pki.crl import web as published
from pki.ocsp import web as ocsp
from siths_portal.lib.monitoring import health
from siths_portal.lib.pages import error_pages

handler400 = error_pages.bad_request
handler403 = error_pages.permission_denied
handler404 = error_pages.page_not_found
handler500 = error_pages.server_error

urlpatterns = [
    *health.urls(database=health.database, published=published.readable),
    path("", root_path.root, name="status-index"),
    path("ocsp", ocsp.respond, name="ocsp"),
    # Base64 contains slashes, and some clients insert line breaks.
    re_path(r"\Aocsp/(?P<encoded>(?s:.*))\Z", ocsp.respond, name="ocsp-get"),
    path("crl/<str:stem>.crl", published.crl, name="crl"),
    path("aia/<str:stem>.cer", published.ca_certificate, name="ca-certificate"),
    # The OCSP URLs in certificates of imported CAs (ADR 0217). A request is a DER SEQUENCE, so its base64 begins with M.
    re_path(r"\A(?P<encoded>/*M[A-P](?s:.*))\Z", ocsp.respond, name="ocsp-bare-get"),
    path("<str:stem>.crl", published.crl, name="crl-bare"),
    path("<str:stem>.cer", published.ca_certificate, name="ca-certificate-bare"),
]
