"""The article catalogue, and the articles that an organisation may order (rules/issuance 7.7)."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.articles.models import Article, OrganisationArticle
from issuance.articles.services.articles import is_ordered
from issuance.authz import Action, Actor, policy
from issuance.organisations.models import Organisation
from issuance.records.domain import wording
from issuance.records.queries import words
from siths_portal.lib import clock
from siths_portal.lib.lists import Rows

KINDS = {
    "ordinary": _("Ordinarie kort"),
    "student": _("Studentkort"),
    "company": _("Företagskort"),
    "reserve": _("Reservkort"),
    "test": _("Testkort"),
}
ORIENTATIONS = {"portrait": _("Stående"), "landscape": _("Liggande")}
STATES = {"active": _("Godkänd"), "coming": _("Kommande"), "ended": _("Utgången")}
_TAGS = {"active": "active", "coming": "new", "ended": "expired"}


@dataclass(frozen=True)
class ArticleLine:
    """An article of the catalogue with labels. `state` is active, coming or ended, by its period."""

    code: str
    number: str
    name: str
    kind: str
    orientation: str
    photo: bool
    registered_mail: bool
    assurance_level: int
    generation: str
    valid_from: dt.date
    valid_to: dt.date | None
    state: str

    @property
    def title(self) -> str:
        """Number and name."""
        return words.article(self.number, self.name)

    @property
    def state_text(self) -> str:
        """The label of the state."""
        return gettext(STATES[self.state])

    @property
    def tag(self) -> str:
        """The kind of tag for the state."""
        return _TAGS[self.state]


@dataclass(frozen=True)
class OfferedLine:
    """An article for an organisation. `orderable` is the issuer's choice (Beställningsbar)."""

    article: ArticleLine
    orderable: bool


@dataclass(frozen=True)
class Choice:
    """The filters of the catalogue; empty means all. `delivery` is ordinary or registered."""

    kind: str = ""
    state: str = ""
    delivery: str = ""

    @property
    def condition(self) -> Q:
        """The condition on articles today."""
        today = clock.today()
        ended, coming = Q(valid_to__lt=today), Q(valid_from__gt=today)
        states = {"active": ~ended & ~coming, "coming": coming & ~ended, "ended": ended}
        found = Q(kind=self.kind) if self.kind else Q()
        if self.delivery:
            found &= Q(registered_mail=self.delivery == "registered")
        return found & states.get(self.state, Q())


@dataclass(frozen=True)
class ArticleFacts:
    """An article's stored values, in addition to its line with labels.

    `ordered` means that the properties of the card can no longer change. `orderable_in` counts the organisations that may order
    it, as far as the actor sees them.
    """

    version: int
    number: str
    name: str
    kind: str
    orientation: str
    photo: bool
    registered_mail: bool
    assurance_level: int
    generation: str
    valid_from: dt.date
    valid_to: dt.date | None
    line: ArticleLine
    ordered: bool
    orderable_in: int
    may_edit: bool


def catalogue(*, actor: Actor, choice: Choice) -> Rows[Article, ArticleLine]:
    """Returns the articles of the catalogue. Raises Forbidden for actors who see no configuration."""
    policy.reach(actor, Action.VIEW_CONFIGURATION)
    return Rows(Article.objects.filter(choice.condition), lambda found: list(_lines(found)))


def article(*, actor: Actor, code: str) -> ArticleFacts:
    """Returns one article of the catalogue. Raises Forbidden, NotFound."""
    policy.reach(actor, Action.VIEW_CONFIGURATION)
    row = Article.objects.filter(pk=code).first()
    if row is None:
        raise policy.not_found()
    ticked = OrganisationArticle.objects.filter(article=row, orderable=True).values("organisation")
    return ArticleFacts(
        **{name: getattr(row, name) for name in _KEPT},
        line=next(iter(_lines([row]))),
        ordered=is_ordered(row.code),
        orderable_in=Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(pk__in=ticked).count(),
        may_edit=policy.holds(actor, Action.CREATE_ORGANISATION),
    )


_KEPT = (
    "version",
    "number",
    "name",
    "kind",
    "orientation",
    "photo",
    "registered_mail",
    "assurance_level",
    "generation",
    "valid_from",
    "valid_to",
)


def offered(*, actor: Actor, organisation_id: UUID) -> tuple[OfferedLine, ...]:
    """Returns the articles for an organisation, without ended ones that it may not order.

    Raises NotFound, Forbidden.
    """
    organisation = policy.get(actor, Action.CHOOSE_ARTICLES, Organisation.objects, organisation_id)
    ticks = dict(OrganisationArticle.objects.filter(organisation=organisation).values_list("article_id", "orderable"))
    lines = _lines(Article.objects.order_by("number", "code"))
    return tuple(
        OfferedLine(line, ticks.get(line.code, False)) for line in lines if line.state != "ended" or ticks.get(line.code)
    )


def chosen(*, organisation_id: UUID) -> tuple[ArticleLine, ...]:
    """Returns the articles that an organisation may order. The caller has checked that the actor sees it. One query."""
    ticked = OrganisationArticle.objects.filter(organisation=organisation_id, orderable=True).values("article")
    return tuple(_lines(Article.objects.filter(pk__in=ticked).order_by("number", "code")))


def _lines(rows: Iterable[Article]) -> Iterable[ArticleLine]:
    today = clock.today()
    for row in rows:
        ended = row.valid_to is not None and row.valid_to < today
        yield ArticleLine(
            code=row.code,
            number=row.number,
            name=row.title,
            kind=wording.label(KINDS, row.kind),
            orientation=wording.label(ORIENTATIONS, row.orientation),
            photo=row.photo,
            registered_mail=row.registered_mail,
            assurance_level=row.assurance_level,
            generation=row.generation,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            state="ended" if ended else "coming" if row.valid_from > today else "active",
        )
