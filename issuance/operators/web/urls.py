"""URLs of the operators' pages. They identify CAs by slug and generation, and everything else by an id."""

from django.urls import URLPattern, path

from issuance.operators.web import (
    approvals,
    authorities,
    ca_states,
    ceremonies,
    certificates,
    day,
    health,
    imports,
    mass_revocations,
    proposals,
    status,
)
from siths_portal.lib.pages.day import SOURCES, Source

_CA = "pki/utfardare/<slug:slug>/<int:generation>/"
_CERTIFICATE = "pki/certifikat/<uuid:certificate_id>/"
_APPROVAL = "pki/arenden/<uuid:request_id>/"
_CEREMONY = "pki/ceremonier/<uuid:ceremony_id>/"
_PROPOSAL = "pki/ceremonier/forberedd/<uuid:proposal_id>/"
_IMPORT = "pki/importer/<uuid:import_id>/"
_MASS = "pki/massparr/<uuid:mass_revocation_id>/"

urlpatterns: list[URLPattern] = [
    path("pki/", authorities.authority_list, name="pki_authorities"),
    path(_CA, authorities.authority, name="pki_authority"),
    path(f"{_CA}tillstand/", ca_states.ca_state, name="pki_authority_state"),
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
    path(f"{_APPROVAL}genomfor/", ca_states.carry_out, name="pki_approval_carry_out"),
    path("pki/ceremonier/", ceremonies.ceremony_list, name="pki_ceremonies"),
    path("pki/ceremonier/ny/", proposals.propose, name="pki_ceremony_propose"),
    path(_PROPOSAL, proposals.proposal, name="pki_proposal"),
    path(f"{_PROPOSAL}underskrift/", proposals.sign, name="pki_proposal_sign"),
    path(f"{_PROPOSAL}ta-tillbaka/", proposals.withdraw, name="pki_proposal_withdraw"),
    path(f"{_PROPOSAL}fil.yaml", proposals.proposal_file, name="pki_proposal_file"),
    path(_CEREMONY, ceremonies.ceremony, name="pki_ceremony"),
    path(f"{_CEREMONY}protokoll.json", ceremonies.protocol_json, name="pki_ceremony_protocol"),
    path(f"{_CEREMONY}protokoll.txt", ceremonies.protocol_text, name="pki_ceremony_protocol_text"),
    path(f"{_CEREMONY}fil.yaml", ceremonies.ceremony_file, name="pki_ceremony_file"),
    path("pki/driftlage/", health.health, name="pki_health"),
    path("pki/ocsp/status/", status.status, name="pki_status"),
    path("pki/importer/", imports.import_list, name="pki_imports"),
    path(_IMPORT, imports.import_one, name="pki_import"),
    path(f"{_IMPORT}avvikelser/<slug:kind>/", imports.import_findings, name="pki_import_findings"),
    path(f"{_IMPORT}rapport.<slug:kind>", imports.import_report, name="pki_import_report"),
    path("pki/massparr/", mass_revocations.mass_list, name="pki_mass_revocations"),
    path("pki/massparr/ny/", mass_revocations.mass_new, name="pki_mass_new"),
    path("pki/massparr/provrakning/<uuid:trial_id>/", mass_revocations.mass_trial, name="pki_mass_trial"),
    path(_MASS, mass_revocations.mass_revocation, name="pki_mass_revocation"),
    path(f"{_MASS}starta/", mass_revocations.mass_start, name="pki_mass_start"),
    path(f"{_MASS}stoppa/", mass_revocations.mass_stop, name="pki_mass_stop"),
]

SOURCES.register(Source("operators", 20, day.lines))
