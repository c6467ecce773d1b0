"""Articles: the catalogue, and which of them an organisation may order (domain.md 7.7)."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.authz import Action, Actor, policy
from issuance.models import Article, Organisation, OrganisationArticle
from issuance.queries import words
from siths_portal.lib import clock

KINDS = {
    "ordinary": _("Ordinarie kort"),
    "student": _("Studentkort"),
    "company": _("Företagskort"),
    "reserve": _("Reservkort"),
    "test": _("Testkort"),
}
_ORIENTATIONS = {"portrait": _("Stående"), "landscape": _("Liggande")}
_STATES = {"active": _("Godkänd"), "coming": _("Kommande"), "ended": _("Utgången")}
_TAGS = {"active": "active", "coming": "new", "ended": "expired"}


@dataclass(frozen=True)
class ArticleLine:
    """An article in the catalogue, in words. `state` is active, coming or ended, by its period."""

    code: str
    title: str
    kind: str
    orientation: str
    photo: bool
    registered_mail: bool
    assurance_level: int
    valid_from: dt.date
    valid_to: dt.date | None
    state: str

    @property
    def state_text(self) -> str:
        """The state in words."""
        return gettext(_STATES[self.state])

    @property
    def tag(self) -> str:
        """The kind of tag that the state is drawn as."""
        return _TAGS[self.state]


@dataclass(frozen=True)
class OfferedLine:
    """An article for an organisation: `orderable` is the issuer's tick (Beställningsbar)."""

    article: ArticleLine
    orderable: bool


def catalogue(*, actor: Actor) -> tuple[ArticleLine, ...]:
    """Every article, by number. Raises Forbidden for those who see no configuration."""
    policy.reach(actor, Action.VIEW_CONFIGURATION)
    return tuple(_lines(Article.objects.order_by("number", "code")))


def offered(*, actor: Actor, organisation_id: UUID) -> tuple[OfferedLine, ...]:
    """The articles of the catalogue as one organisation may order them, without ended ones that it never could.

    Raises NotFound, Forbidden.
    """
    organisation = policy.get(actor, Action.CHOOSE_ARTICLES, Organisation.objects.all(), organisation_id)
    ticks = dict(OrganisationArticle.objects.filter(organisation=organisation).values_list("article_id", "orderable"))
    lines = _lines(Article.objects.order_by("number", "code"))
    return tuple(
        OfferedLine(line, ticks.get(line.code, False)) for line in lines if line.state != "ended" or ticks.get(line.code)
    )


def _lines(rows: Iterable[Article]) -> Iterable[ArticleLine]:
    today = clock.today()
    for row in rows:
        ended = row.valid_to is not None and row.valid_to < today
        yield ArticleLine(
            code=row.code,
            title=f"{row.number} - {row.title}",
            kind=words.said(KINDS, row.kind),
            orientation=words.said(_ORIENTATIONS, row.orientation),
            photo=row.photo,
            registered_mail=row.registered_mail,
            assurance_level=row.assurance_level,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            state="ended" if ended else "coming" if row.valid_from > today else "active",
        )
