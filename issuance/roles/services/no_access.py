"""Messages to authenticated persons without a current role: the reason, and whom to contact."""

from uuid import UUID

from django.utils.translation import gettext as _

from authn.ports import Advice
from issuance.authz.roles import GLOBAL_ROLES
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import current, valid_posts, with_area
from siths_portal.lib import clock


def no_post() -> Advice:
    """Returns the message to a person whose HSA-id or number is not in the portal."""
    return Advice(
        _("Portalen känner inte till ditt uppdrag"),
        _(
            "Du är legitimerad, men uppdraget finns inte i portalen. Är det nytt? Logga in igen när portalen har läst in "
            "HSA-katalogen. Kontakta annars er HSA-administratör."
        ),
    )


def advice(person_id: UUID) -> Advice:
    """Returns the message to a person without a current role.

    It describes their oldest dormant or coming role, or else the role that ended last.

    A role that has begun is dormant if its holder has no valid assignment in its area (`actors.with_post`).
    """
    now = clock.now()
    grants = with_area(RoleGrant.objects.filter(person_id=person_id)).select_related("area", "organisation__area")
    holds = current(grants, now=now).order_by("valid_from", "id").first()
    if holds is not None and holds.valid_from > now:
        begins = f"{holds.valid_from.astimezone(clock.STOCKHOLM):%Y-%m-%d}"
        text = _("Rollen gäller från och med {day}. Logga in då. Behöver du den tidigare? Kontakta {giver}.")
        return Advice(_("Din roll har inte börjat gälla"), text.format(day=begins, giver=_giver(holds)))
    if holds is not None:
        text = _("Du har inget uppdrag där rollen gäller enligt HSA-katalogen. Kontakta er HSA-administratör, eller {giver}.")
        return Advice(_("Din roll är vilande"), text.format(giver=_giver(holds)))
    if (ended := grants.order_by("-valid_to", "id").first()) is not None:
        text = _("Du har ingen roll i portalen längre. Behöver du den? Kontakta {giver}.")
        return Advice(_("Din roll har upphört"), text.format(giver=_giver(ended)))
    post = valid_posts().filter(person_id=person_id).select_related("organisation__area").order_by("hsa_id").first()
    text = _("Du är legitimerad, men ingen har gett dig en roll. Behöver du en? Kontakta {giver}.")
    return Advice(_("Du har ingen roll i portalen"), text.format(giver=_issuer(post.organisation.area.name if post else "")))


def _giver(grant: RoleGrant) -> str:
    """Returns who can give such a role again."""
    if grant.role in {role.value for role in GLOBAL_ROLES}:
        return _("SITHS-förvaltningen")
    area = grant.area or (grant.organisation.area if grant.organisation else None)
    return _issuer(area.name if area else "")


def _issuer(area: str) -> str:
    return _("en utgivare i {area}").format(area=area) if area else _("din utgivare")
