"""Other things in an area with the same name. Pages show the kind of each to tell them apart (docs/design.md#forms)."""

from uuid import UUID

from django.utils.translation import gettext as _

from issuance.authz import Action, Actor
from issuance.offices.models import Office
from issuance.organisations.models import IssuingArea, Organisation


def sentence(*, actor: Actor, area_id: UUID, made: Organisation | Office) -> str:
    """Returns a sentence about other places in the area with the name of `made`, as far as the actor sees them; else empty.

    The issuing organisation usually has the same name as its area, so the sentence leaves that pair out.
    """
    name = made.name
    kinds = []
    if IssuingArea.objects.filter(pk=area_id, name__iexact=name).exclude(issuing_organisation=made.pk).exists():
        kinds.append(_("utgivningsområdet"))
    for model, kind in ((Organisation, _("en organisation")), (Office, _("ett kontor"))):
        seen = model.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id, closed_at=None)
        if seen.filter(name__iexact=name).exclude(pk=made.pk).exists():
            kinds.append(kind)
    return _("Samma namn har också {kinds}.").format(kinds=_(" och ").join(kinds)) if kinds else ""
