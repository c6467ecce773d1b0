"""The line of Dagen about suspected false documents."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.activation.queries import suspicions
from issuance.authz import Actor
from siths_portal.lib.pages.day import Line, Urgency


def lines(actor: Actor) -> Iterator[Line]:
    """Yields a line if a suspicion waits for the actor's judgement. It names nobody."""
    if count := suspicions.count_to_judge(actor=actor):
        title = ngettext("{n} misstänkt falsk id-handling att bedöma", "{n} misstänkta falska id-handlingar att bedöma", count)
        yield Line(
            urgency=Urgency.TODAY,
            title=title.format(n=count),
            url=reverse("suspicions"),
            text=_(
                "En ID-administratör har stoppat ett besök. Personens kort kan inte aktiveras innan du har bedömt misstanken."
            ),
            icon="warning",
            action=_("Visa misstankarna"),
        )
