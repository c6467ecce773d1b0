"""URLs of areas and organisations, with their tabs and functions."""

from django.urls import URLPattern, path
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from issuance.authz import Action
from issuance.organisations.queries.places import OrganisationHead
from issuance.organisations.web import area_tree, areas, ending, moving, organisations
from issuance.records.web.places import AREA, AREA_PATH, ORGANISATION, ORGANISATION_PATH, Function, TabEntry

urlpatterns: list[URLPattern] = [
    path("administrera/utgivningsomrade/nytt/", areas.area_new, name="area_new"),
    path(AREA_PATH, areas.area, name="area"),
    path(f"{AREA_PATH}organisationstrad/", area_tree.tree, name="area_tree"),
    path(f"{AREA_PATH}redigera/", areas.area_edit, name="area_edit"),
    path(f"{AREA_PATH}ta-bort/", areas.area_remove, name="area_remove"),
    path(f"{AREA_PATH}ny-organisation/", organisations.organisation_new, name="organisation_new"),
    path(ORGANISATION_PATH, organisations.organisation, name="organisation"),
    path(f"{ORGANISATION_PATH}redigera/", organisations.organisation_edit, name="organisation_edit"),
    path(f"{ORGANISATION_PATH}ny-underorganisation/", organisations.sub_organisation_new, name="sub_organisation_new"),
    path(f"{ORGANISATION_PATH}abonnemangsavgift/", organisations.organisation_fee, name="organisation_fee"),
    path(f"{ORGANISATION_PATH}flytta/", moving.organisation_move, name="organisation_move"),
    path(f"{ORGANISATION_PATH}avsluta/", ending.organisation_end, name="organisation_end"),
    path(f"{ORGANISATION_PATH}ateruppta/", ending.organisation_reopen, name="organisation_reopen"),
]


def _why_fixed(head: OrganisationHead) -> str:
    """Returns why an actor who may change sub-organisations here may not change the organisation itself."""
    return "" if head.may_change else _text("SITHS-förvaltningen ändrar och flyttar organisationen.")


def _has_fee(head: OrganisationHead) -> bool:
    return Action.CREATE_ORGANISATION in head.rights and not head.is_sub_organisation


AREA.tabs.register(
    TabEntry("area", _("Uppgifter"), 10),
    TabEntry("area_tree", _("Organisationsträd"), 20),
)
AREA.configuration.register(
    Function("area_edit", _("Redigera utgivningsområdet"), 10, Action.CREATE_ORGANISATION),
    Function("organisation_new", _("Skapa organisation"), 20, Action.CREATE_ORGANISATION),
)
ORGANISATION.tabs.register(TabEntry("organisation", _("Uppgifter"), 10))
ORGANISATION.configuration.register(
    Function("sub_organisation_new", _("Skapa underorganisation"), 10, Action.CREATE_SUB_ORGANISATION),
    Function("organisation_edit", _("Redigera uppgifter"), 50, Action.CREATE_SUB_ORGANISATION, reason=_why_fixed),
    Function("organisation_move", _("Flytta organisationen"), 60, Action.CREATE_SUB_ORGANISATION, reason=_why_fixed),
    Function("organisation_fee", _("Ändra abonnemangsavgift"), 70, Action.CREATE_SUB_ORGANISATION, offered=_has_fee),
    Function(
        "organisation_end",
        _("Avsluta organisationen"),
        80,
        Action.CREATE_SUB_ORGANISATION,
        offered=lambda head: head.may_change,
    ),
)
