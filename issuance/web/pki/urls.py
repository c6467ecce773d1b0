"""Addresses of the room of those who operate the PKI. CAs stand in them by slug and generation, everything else by an id."""

from django.urls import URLPattern, path

from issuance.web.pki import approvals, authorities, certificates

_CA = "pki/utfardare/<slug:slug>/<int:generation>/"
_CERTIFICATE = "pki/certifikat/<uuid:certificate_id>/"
_APPROVAL = "pki/arenden/<uuid:request_id>/"

urlpatterns: list[URLPattern] = [
    path("pki/", authorities.authority_list, name="pki_authorities"),
    path(_CA, authorities.authority, name="pki_authority"),
    path(f"{_CA}certifikat.pem", authorities.authority_pem, name="pki_authority_pem"),
    path(f"{_CA}certifikat.cer", authorities.authority_der, name="pki_authority_der"),
    path("pki/nycklar/", authorities.key_list, name="pki_keys"),
    path("pki/certifikat/", certificates.search, name="pki_certificates"),
    path("pki/certifikat/sokning/<uuid:search_id>/", certificates.hits, name="pki_certificate_hits"),
    path(_CERTIFICATE, certificates.certificate, name="pki_certificate"),
    path(f"{_CERTIFICATE}certifikat.pem", certificates.certificate_pem, name="pki_certificate_pem"),
    path(f"{_CERTIFICATE}certifikat.cer", certificates.certificate_der, name="pki_certificate_der"),
    path("pki/arenden/", approvals.approval_list, name="pki_approvals"),
    path(_APPROVAL, approvals.approval, name="pki_approval"),
    path(f"{_APPROVAL}beslut/", approvals.approval_decide, name="pki_approval_decide"),
    path(f"{_APPROVAL}ta-tillbaka/", approvals.approval_withdraw, name="pki_approval_withdraw"),
]
