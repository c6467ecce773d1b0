"""URLs of roles, with their functions on areas and organisations. A role's code is the only text value in a URL."""

from django.urls import URLPattern, path
from django.utils.functional import Promise
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from issuance.authz import Action
from issuance.organisations.queries.places import AreaHead, OrganisationHead
from issuance.records.web.places import AREA, AREA_PATH, ORGANISATION, ORGANISATION_PATH, Function
from issuance.roles.queries.holders_to_train import training_url
from issuance.roles.web import log_ins, person_roles, role_adding, role_holders, role_requests, roles

_PERSON = "sok/person/<uuid:person_id>/roller/"
_GRANT = "administrera/roll/<uuid:grant_id>/"
_REQUEST = "administrera/begarda-roller/<uuid:request_id>/"
_OF_ORGANISATION = f"{ORGANISATION_PATH}roller/"

urlpatterns: list[URLPattern] = [
    path(_OF_ORGANISATION, roles.organisation_roles, name="organisation_roles"),
    path(f"{_OF_ORGANISATION}ny/", role_adding.organisation_role_add, name="organisation_role_add"),
    path(f"{AREA_PATH}ansvarig-utgivare/", role_adding.area_issuer_add, name="area_issuer_add"),
    path(f"{AREA_PATH}lagg-till-roller/", role_adding.area_role_add, name="area_role_add"),
    path(_GRANT, roles.role_change, name="role_change"),
    path(f"{_GRANT}ta-bort/", roles.role_end, name="role_end"),
    path("administrera/rollinnehavare/", role_holders.role_holders, name="role_holders"),
    path("administrera/rollinnehavare/utbildning/", role_holders.holders_training, name="holders_training"),
    path("administrera/begarda-roller/", role_requests.requests, name="role_requests"),
    path(_REQUEST, role_requests.role_request, name="role_request"),
    path(f"{_REQUEST}ta-tillbaka/", role_requests.role_request_withdraw, name="role_request_withdraw"),
    path("administrera/inloggningar/", log_ins.log_ins, name="log_ins"),
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


def _why_above(head: AreaHead) -> str:
    """Returns why an actor whose roles are above an area's gives no roles in its organisations (ADR 0188)."""
    return "" if head.gives_roles else _text("Områdets ansvariga utgivare ger rollerna i organisationerna.")


def _edit_or_show(head: OrganisationHead) -> Promise:
    """Returns the function's name: actors whose roles are above an area's can only view the roles (ADR 0188)."""
    return _("Redigera roller") if head.gives_roles else _("Visa roller")


AREA.functions.register(
    Function("area_role_add", _("Lägg till roller"), 10, Action.ASSIGN_ROLE, reason=_why_above),
    Function(
        "holders_training",
        _("Registrera utbildning och personkontroll"),
        20,
        Action.ASSIGN_ROLE,
        address=lambda head: training_url(head.id),
    ),
)
AREA.configuration.register(
    # Actors who create areas appoint their issuers.
    Function("area_issuer_add", _("Utse ansvarig utgivare"), 30, Action.CREATE_ORGANISATION)
)
ORGANISATION.functions.register(Function("organisation_roles", _edit_or_show, 10, Action.ASSIGN_ROLE))
