"""The card customisations whose names an actor may see in histories (rules/issuance 7.6)."""

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Subquery, UUIDField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from issuance.authz import Action, Actor
from issuance.customisations.models import CardCustomisation
from issuance.organisations.models import Organisation
from issuance.records.models.events import Event
from siths_portal.lib.events import NEWEST_FIRST


def named_to(actor: Actor) -> QuerySet[CardCustomisation]:
    """Returns the customisations whose names the actor may see in histories.

    These are the customisations that the actor sees, the generic one, and those that an organisation in the actor's sight had
    last, even after it was removed from it (ADR 0189). If another organisation has taken it since, only actors who see that
    organisation see the name.
    """
    seen = CardCustomisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).values("pk")
    events = Event.objects.filter(
        subject_type="customisation", subject_ref=Cast(OuterRef("pk"), CharField()), facts__has_key="organisation"
    )
    last = events.order_by(NEWEST_FIRST).values(ref=KeyTextTransform("organisation", "facts"))[:1]
    had = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(pk=Cast(OuterRef("last"), UUIDField()))
    rows = CardCustomisation.objects.alias(last=Subquery(last))
    return rows.filter(Q(generic=True) | Q(pk__in=seen) | Exists(had))
