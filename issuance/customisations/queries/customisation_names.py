"""Which card customisations histories name to whom (rules/issuance 7.6)."""

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Subquery, UUIDField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from issuance.authz import Action, Actor
from issuance.customisations.models import CardCustomisation
from issuance.organisations.models import Organisation
from issuance.records.models.events import Event
from siths_portal.lib.events import NEWEST_FIRST


def named_to(actor: Actor) -> QuerySet[CardCustomisation]:
    """Those whose names the actor may read in histories: what he sees, the generic one, and what an organisation that he sees had
    last, also when it is nobody's any more (ADR 0189). One that another has taken up since is named to those who see that one.
    """
    seen = CardCustomisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).values("pk")
    told = Event.objects.filter(
        subject_type="customisation", subject_ref=Cast(OuterRef("pk"), CharField()), facts__has_key="organisation"
    )
    last = told.order_by(NEWEST_FIRST).values(ref=KeyTextTransform("organisation", "facts"))[:1]
    had = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(pk=Cast(OuterRef("last"), UUIDField()))
    rows = CardCustomisation.objects.alias(last=Subquery(last))
    return rows.filter(Q(generic=True) | Q(pk__in=seen) | Exists(had))
