"""Addresses of roles: ids that mean nothing; a role's code is the only word in them."""

from django.urls import URLPattern, path

from issuance.roles.web import person_roles, role_adding, role_holders, role_requests, roles

_PERSON = "sok/person/<uuid:person_id>/roller/"
_AREA = "administrera/utgivningsomrade/<uuid:area_id>/"
_GRANT = "administrera/roll/<uuid:grant_id>/"
_REQUEST = "administrera/begarda-roller/<uuid:request_id>/"
_ORGANISATION = "administrera/organisation/<uuid:organisation_id>/roller/"

urlpatterns: list[URLPattern] = [
    path(_ORGANISATION, roles.organisation_roles, name="organisation_roles"),
    path(f"{_ORGANISATION}ny/", role_adding.organisation_role_add, name="organisation_role_add"),
    path(f"{_AREA}ansvarig-utgivare/", role_adding.area_issuer_add, name="area_issuer_add"),
    path(f"{_AREA}lagg-till-roller/", role_adding.area_role_add, name="area_role_add"),
    path(_GRANT, roles.role_change, name="role_change"),
    path(f"{_GRANT}ta-bort/", roles.role_end, name="role_end"),
    path("administrera/rollinnehavare/", role_holders.role_holders, name="role_holders"),
    path("administrera/rollinnehavare/utbildning/", role_holders.holders_training, name="holders_training"),
    path("administrera/begarda-roller/", role_requests.requests, name="role_requests"),
    path(_REQUEST, role_requests.role_request, name="role_request"),
    path(f"{_REQUEST}ta-tillbaka/", role_requests.role_request_withdraw, name="role_request_withdraw"),
    path("administrera/roller/", role_holders.role_rights, name="role_rights"),
    path(_PERSON, person_roles.person_roles, name="person_roles"),
    path(f"{_PERSON}ny/", person_roles.person_role_add, name="person_role_add"),
    path(f"{_PERSON}utbildning/", person_roles.qualification_add, name="qualification_add"),
    path(
        "administrera/utbildning/<uuid:qualification_id>/ta-tillbaka/",
        person_roles.qualification_withdraw,
        name="qualification_withdraw",
    ),
]
