"""Articles and the organisations that may order them (rules/issuance 7.7)."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from issuance.articles.models import Article, OrganisationArticle
from issuance.authz import Action, Actor, policy
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.organisations import NewOrganisation
from issuance.records.models.events import Event
from issuance.records.services.editing import as_fact, edit, line, record, refuse
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid
from siths_portal.lib.registry import Registry

KINDS = ("ordinary", "student", "company", "reserve", "test")
WITHOUT_PHOTO = frozenset({"reserve", "test"})
"""The kinds of articles whose cards have the generic look, and so no photo (`issuance.carriers.domain.kinds`)."""
ORIENTATIONS = ("portrait", "landscape")
LEVELS = (3, 2)

EARLIEST = dt.date(2000, 1, 1)
LATEST_DAYS = 10 * 365
"""Earlier dates, and dates more days ahead than this, are refused as typing errors."""

USES = Registry[Callable[[str], bool]]()
"""Functions of the packages above that return whether the article with this code was ever used."""

_NUMBER = re.compile(r"\d{3,8}", re.ASCII)
_BATCH = 2000
"""The number of rows per statement."""
_FIXED_ONCE_ORDERED = ("kind", "orientation", "photo", "assurance_level")
"""The properties of the card, which no longer change once the article was ordered."""


@dataclass(frozen=True)
class ArticleData:
    """An article as typed. Its code is the number, with `-REK` for the registered-mail variant. Both days are inclusive."""

    number: str
    name: str
    kind: str
    orientation: str
    photo: bool
    registered_mail: bool
    valid_from: dt.date
    valid_to: dt.date | None = None
    assurance_level: int = 3
    generation: str = ""

    @property
    def code(self) -> str:
        """The article's code."""
        return f"{self.number}-REK" if self.registered_mail else self.number

    def checked(self) -> "ArticleData":
        """Returns the data in normal form. Raises Invalid with every field that is wrong."""
        wrong: dict[str, list[str]] = {}
        texts = {"name": self.name, "generation": self.generation}
        for field, longest, needed in (("name", 100, "Ange artikelns namn."), ("generation", 20, "")):
            try:
                texts[field] = line(texts[field], field, longest=longest, missing=needed)
            except Invalid as error:
                wrong |= error.fields
        number = self.number.strip()
        if not _NUMBER.fullmatch(number):
            wrong["number"] = ["Skriv artikelnumret med 3 till 8 siffror."]
        for field, allowed in (("kind", KINDS), ("orientation", ORIENTATIONS), ("assurance_level", LEVELS)):
            if getattr(self, field) not in allowed:
                wrong[field] = ["Välj ett värde i listan."]
        if self.photo and self.kind in WITHOUT_PHOTO:
            wrong["photo"] = ["Kort av det här slaget har inget foto. Välj Nej."]
        if self.valid_to is not None and self.valid_to < self.valid_from:
            wrong["valid_to"] = ["Sista dagen kan inte ligga före den första."]
        refuse(wrong)
        return replace(self, number=number, name=texts["name"], generation=texts["generation"])


@transaction.atomic(durable=True)
def register_article(*, actor: Actor, article: ArticleData) -> Article:
    """Adds an article. Registering the same article again changes nothing.

    Raises Forbidden, Invalid by field, Conflict if another article has the code.
    """
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    article = article.checked()
    refuse(_slips(valid_from=article.valid_from, valid_to=article.valid_to))
    values = asdict(article)
    row, made = Article.objects.get_or_create(code=article.code, defaults=values)
    if any(getattr(row, name) != value for name, value in values.items()):
        message = "Artikelnumret finns redan med andra uppgifter. Redigera den artikeln, eller skriv ett annat nummer."
        raise Conflict("article-exists", message, fields={"number": [message]})
    if made:
        record(actor, "article.registered", row, **{name: as_fact(value) for name, value in values.items()})
    return row


@transaction.atomic(durable=True)
def edit_article(*, actor: Actor, code: str, version: int, article: ArticleData) -> Article:
    """Edits an article that was read at `version`.

    Its number and delivery never change. After the first order the properties of the card are fixed, and its first day cannot be
    later than it was. Raises Forbidden, NotFound, Invalid by field, Outdated, Conflict (ordered already).
    """
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    # FOR UPDATE, because a concurrent order holds a key-share lock on its article.
    row = Article.objects.select_for_update().filter(pk=code).first()
    if row is None:
        raise policy.not_found()
    article = article.checked()
    changes = {name: value for name, value in asdict(article).items() if name not in ("number", "registered_mail")}
    if article.code != row.code:
        raise Invalid("number", "Numret kan inte ändras.", fields={"number": ["Numret kan inte ändras."]})
    if article.valid_to is not None and article.valid_to != row.valid_to and article.valid_to < clock.today():
        message = "Sista dagen kan tidigast vara i dag."
        raise Invalid("valid-to", message, fields={"valid_to": [message]})
    refuse(_slips(**{name: changes[name] for name in ("valid_from", "valid_to") if changes[name] != getattr(row, name)}))
    touched = [name for name in _FIXED_ONCE_ORDERED if changes[name] != getattr(row, name)]
    later = article.valid_from > row.valid_from
    if (touched or later) and is_ordered(row.code):
        message = "Artikeln har beställts. Ge den en sista dag och skapa en ny artikel i stället."
        if not touched:
            message = f"Artikeln har beställts. Den första dagen kan inte vara senare än {row.valid_from}."
        raise Conflict("article-ordered", message, fields={touched[0] if touched else "valid_from": [message]})
    edit(row, version=version, changes=changes, actor=actor, action="article.changed")
    return row


def _slips(**days: dt.date | None) -> dict[str, list[str]]:
    """Returns error texts by field for dates that are probably typing errors."""
    latest, wrong = clock.today() + dt.timedelta(days=LATEST_DAYS), {}
    for field, day in days.items():
        if day is not None and day < EARLIEST:
            wrong[field] = ["Dagen ligger för långt bak. Kontrollera årtalet."]
        elif day is not None and day > latest:
            emptied = ", eller lämna fältet tomt" if field == "valid_to" else ""
            wrong[field] = [f"Dagen ligger för långt fram. Välj en dag inom 10 år{emptied}."]
    return wrong


def is_ordered(code: str) -> bool:
    """True if a card was ever ordered by the article, migrated cards included."""
    return any(uses(code) for uses in USES)


@transaction.atomic(durable=True)
def offer_article(*, actor: Actor, organisation_id: UUID, article_code: str, orderable: bool) -> None:
    """Sets whether an organisation may order an article (Beställningsbar). Raises NotFound, Forbidden, Invalid."""
    offer({_locked(actor, organisation_id).id: {article_code: orderable}}, actor=actor)


@transaction.atomic(durable=True)
def choose_articles(*, actor: Actor, organisation_id: UUID, shown: Collection[str], picked: Collection[str]) -> int:
    """Sets which articles are orderable: `picked`, compared with `shown`, the ones that the page showed as ticked.

    Returns the number of changes. Articles that the actor did not change keep what other users have set in the meantime. Raises
    NotFound, Forbidden, Invalid for an article that is unknown or no longer sold.
    """
    organisation = _locked(actor, organisation_id)
    added, removed = set(picked) - set(shown), set(shown) - set(picked)
    if not _are_sold(added):
        message = "Artikeln säljs inte längre. Välj en annan."
        raise Invalid("article-ended", message, fields={"article": [message]})
    changes = {**dict.fromkeys(added, True), **dict.fromkeys(removed, False)}
    return sum(offer({organisation.id: changes}, actor=actor).values())


@transaction.atomic(durable=True)
def add_articles(
    *, actor: Actor, area_id: UUID, organisation_ids: Collection[UUID] | None, codes: Collection[str]
) -> dict[UUID, int]:
    """Makes articles orderable for organisations of an area, all or none, and removes none.

    None as `organisation_ids` means every organisation of the area for which the actor may choose. Returns the number of articles
    added for each organisation that got any. Raises NotFound, Forbidden, Invalid (nothing picked, an article unknown or no longer
    sold, an organisation of another area or outside the actor's scope).
    """
    area = policy.get(actor, Action.VIEW_CONFIGURATION, IssuingArea.objects, area_id)
    policy.require(actor, Action.CHOOSE_ARTICLES, area)
    rows = Organisation.objects.visible_to(actor, Action.CHOOSE_ARTICLES).filter(area=area).order_by("pk")
    rows = rows.select_for_update(of=("self",), no_key=True)
    if organisation_ids is not None:
        rows = rows.filter(pk__in=set(organisation_ids))
    found = list(rows.values_list("pk", flat=True))
    picked_codes = set(codes)
    wrong = {} if picked_codes else {"article": ["Markera minst en artikel."]}
    if not _are_sold(picked_codes):
        wrong["article"] = ["En av artiklarna säljs inte längre. Välj andra."]
    if not found:
        wrong["organisation"] = ["Markera minst en organisation."]
    elif organisation_ids is not None and len(found) < len(set(organisation_ids)):
        wrong["organisation"] = ["En av organisationerna hör inte längre till utgivningsområdet. Välj igen."]
    refuse(wrong)
    return offer(dict.fromkeys(found, dict.fromkeys(picked_codes, True)), actor=actor)


@transaction.atomic(durable=True)
def copy_articles(*, actor: Actor, from_id: UUID, to_id: UUID) -> int:
    """Adds to an organisation's articles those of another that the actor sees, except those no longer sold.

    Returns the number added. Raises NotFound, Forbidden.
    """
    source = policy.get(actor, Action.VIEW_CONFIGURATION, Organisation.objects, from_id)
    target = _locked(actor, to_id)
    return sum(offer({target.id: dict.fromkeys(offered_to([source.id])[source.id], True)}, actor=actor).values())


def offered_to(organisation_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    """Returns for each organisation the articles that it may order and that are sold now or later."""
    found: dict[UUID, list[str]] = {pk: [] for pk in organisation_ids}
    rows = OrganisationArticle.objects.filter(organisation__in=found, orderable=True, article__in=_sold()).order_by("article")
    for pk, code in rows.values_list("organisation_id", "article_id"):
        found[pk].append(code)
    return found


def take_over_articles(actor: Actor, made: Sequence[tuple[NewOrganisation, Organisation]]) -> None:
    """Copies the parents' articles to new organisations with `same_articles`, in the caller's transaction.

    Raises Forbidden.
    """
    parents = {new.id: new.parent_id for new, _row in made if new.making.same_articles and new.parent_id is not None}
    if not parents:
        return
    if Organisation.objects.visible_to(actor, Action.CHOOSE_ARTICLES).filter(pk__in=parents).count() < len(parents):
        raise Forbidden("forbidden", "Din behörighetsroll tillåter inte att du väljer artiklar åt organisationen.")
    offered = offered_to(set(parents.values()))
    offer({pk: dict.fromkeys(offered[parent], True) for pk, parent in parents.items()}, actor=actor)


def _are_sold(codes: Collection[str]) -> bool:
    """True if each of the distinct codes belongs to an article sold now or later."""
    return _are_there(_sold(), codes)


def _are_there(articles: QuerySet[Article], codes: Collection[str]) -> bool:
    """True if each of the codes exists. A code with NUL, which PostgreSQL cannot store, does not, and causes no query."""
    return not any("\0" in code for code in codes) and articles.filter(pk__in=codes).count() == len(codes)


def _sold() -> QuerySet[Article]:
    return Article.objects.filter(Q(valid_to=None) | Q(valid_to__gte=clock.today()))


def _locked(actor: Actor, organisation_id: UUID) -> Organisation:
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    return policy.get(actor, Action.CHOOSE_ARTICLES, rows, organisation_id)


def offer(ticks_by_organisation: Mapping[UUID, Mapping[str, bool]], *, actor: Actor) -> dict[UUID, int]:
    """Sets the ticks that differ, by organisation, each with its event, in the caller's transaction.

    Returns the number of changes for each changed organisation. The caller has locked the organisations and checked the right.
    Raises Invalid for an unknown article.
    """
    codes = {code for ticks in ticks_by_organisation.values() for code in ticks}
    if not _are_there(Article.objects.all(), codes):
        message = "Artikeln finns inte."
        raise Invalid("unknown-article", message, fields={"article": [message]})
    existing = OrganisationArticle.objects.filter(organisation__in=ticks_by_organisation, article__in=codes)
    current = {(pk, code): on for pk, code, on in existing.values_list("organisation_id", "article_id", "orderable")}
    changed = [
        (pk, code, orderable)
        for pk, ticks in ticks_by_organisation.items()
        for code, orderable in sorted(ticks.items())
        if current.get((pk, code), False) is not orderable
    ]
    OrganisationArticle.objects.bulk_create(
        (OrganisationArticle(organisation_id=pk, article_id=code, orderable=on) for pk, code, on in changed),
        update_conflicts=True,
        unique_fields=["organisation", "article"],
        update_fields=["orderable"],
        batch_size=_BATCH,
    )
    Event.record_each(
        (
            (str(pk), {"article": code, "orderable": on, "before": {"orderable": not on}, "after": {"orderable": on}})
            for pk, code, on in changed
        ),
        at=clock.now(),
        actor_ref=actor.ref,
        action="organisation.article_set",
        subject_type="organisation",
    )
    return dict(Counter(pk for pk, _, _ in changed))
