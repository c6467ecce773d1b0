"""Next steps: what an area or organisation still needs before cards can be ordered, for the people who set it up."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.administration.queries import readiness
from issuance.administration.queries.readiness import Unready
from issuance.authz import Action, Actor, Role, policy
from issuance.authz.roles import ASSIGNABLE
from issuance.customisations.queries.customisation_requests import generic_is_ready
from issuance.organisations.queries import areas, places
from issuance.organisations.queries.areas import AreaLine, AreaOutline
from issuance.organisations.queries.organisations import OrganisationFacts
from issuance.organisations.queries.places import AreaHead, OrganisationHead
from issuance.roles.queries import holders_to_train
from siths_portal.lib.lists import Order

_OF_THE_ADMINISTRATION = {"supplier", "issuer_number", "back_text"}
"""Parts of a card customisation that the SITHS administration fills in. The card supplier provides the rest."""


class Party(Enum):
    """Another party that a step waits for."""

    ADMINISTRATION = "administration"
    ISSUER = "issuer"
    SUPPLIER = "supplier"


@dataclass(frozen=True)
class NextStep:
    """A step: `text` links to `url`, and `why` gives the reason or the person who takes it. `action` is the text of its button if
    `text` says what is missing.

    `now` means that no other step is possible before it. Without `url` another party takes the step (ADR 0221). `awaits` holds
    the parties that the step waits for, if the reader has nothing to do first. `blocks` is False if cards can be ordered
    without the step.
    """

    text: str
    url: str
    why: str
    now: bool = False
    awaits: frozenset[Party] = frozenset()
    blocks: bool = True
    action: str = ""


@dataclass(frozen=True)
class Steps:
    """Steps as a page shows them: `first` in its deep panel, `rest` as rows. `lead` is the sentence about all of them.

    `first` is None if the reader can take none of them.
    """

    first: NextStep | None
    rest: tuple[NextStep, ...]
    lead: str


def arranged(steps: Sequence[NextStep]) -> Steps:
    """Returns the steps with the one that the reader takes first: one that blocks orders, if they can take any of those."""
    own = [step for step in steps if step.url]
    first = next((step for step in own if step.blocks), own[0] if own else None)
    rest = tuple(step for step in steps if step is not first)
    return Steps(first, rest, left_to(steps) or _count_of(steps))


def _count_of(steps: Sequence[NextStep]) -> str:
    needed = sum(step.blocks for step in steps)
    if not needed:
        return ""
    return ngettext("{n} steg är kvar innan allt är klart.", "{n} steg är kvar innan allt är klart.", needed).format(n=needed)


def sets_up(head: AreaHead | OrganisationHead) -> bool:
    """Returns whether the reader sees every step of a place: the SITHS administration does, and those who verify card
    customisations there, such as the area's responsible issuers.
    """
    return bool(head.rights & {Action.CREATE_ORGANISATION, Action.VERIFY_CUSTOMISATION})


def of_area(actor: Actor, head: AreaHead, outline: AreaOutline) -> Iterator[NextStep]:
    """Yields the steps of an area; for its organisations one step for each kind of gap. Everyone who sets up the area sees the
    same steps. Steps of another party have no link (ADR 0221).
    """
    if sets_up(head):
        administers = Action.CREATE_ORGANISATION in head.rights
        for step in _administration_steps(head, outline):
            yield step if administers else _step_of_other(step, Party.ADMINISTRATION)
    if Action.EDIT_OFFICE in head.rights and outline.organisations and not outline.offices:
        why = _("Ett kontor väljs vid varje beställning och styr fakturaraden.")
        yield NextStep(_("Skapa kontor"), reverse("office_new", args=[head.id]), why)
    if outline.organisations and head.rights & {Action.LINK_OFFICE, Action.CHOOSE_ARTICLES}:
        lacks = readiness.of_area(actor=actor, area_id=head.id)
        yield from _organisation_steps(head, lacks, offices=outline.offices, gives_clerks=_may_assign_clerks(actor, head))
        if outline.issuing and sets_up(head):
            yield from _invoicing_steps(outline.issuing, lacks.offered)
    if Action.ASSIGN_ROLE in head.rights:
        yield from _holder_steps(actor, head)


def has_any(actor: Actor, area_id: UUID) -> bool:
    """Returns whether the page of an area shows steps to the actor. Returns False if the actor does not set up the area. Stops
    at the first step, so it costs most if there are no steps. Raises NotFound, Forbidden.
    """
    head = places.area_head(actor=actor, area_id=area_id)
    if not sets_up(head):
        return False
    return any(True for _step in of_area(actor, head, areas.area_outline(actor=actor, area_id=area_id)))


def unfinished(actor: Actor, found: Sequence[AreaLine]) -> AreaLine | None:
    """Returns the only area that the actor sees, if they set it up, nobody has ordered in it yet, and steps are left. Returns
    None, without further queries, for several areas. An area in use shows its gaps on its own page.
    """
    if len(found) != 1:
        return None
    (area,) = found
    return area if not areas.is_in_use(area_id=area.id) and has_any(actor, area.id) else None


def unfinished_of_issuer(actor: Actor) -> AreaLine | None:
    """Returns `unfinished` for the search page. Runs no query unless the actor is a responsible issuer, and two once the area
    is in use.
    """
    if not policy.holds(actor, Action.VERIFY_CUSTOMISATION):
        return None
    return unfinished(actor, areas.areas(actor=actor).page(Order(""), ("name",), None, 2).lines)


def _administration_steps(head: AreaHead, outline: AreaOutline) -> Iterator[NextStep]:
    """Yields the area's own steps that only the SITHS administration can take."""
    if not outline.issuing:
        why = _("Området har ingen utgivande organisation, så kort kan inte beställas.")
        if outline.organisations:
            yield NextStep(_("Välj utgivande organisation"), reverse("area_edit", args=[head.id]), why)
        else:
            yield NextStep(_("Skapa organisationen"), reverse("organisation_new", args=[head.id]), why, now=True)
    if not outline.issuers:
        why = _("Området har ingen ansvarig utgivare som kan ge rollerna i organisationerna.")
        yield NextStep(_("Utse ansvarig utgivare"), reverse("area_issuer_add", args=[head.id]), why)


def _invoicing_steps(party_id: UUID, offered: frozenset[str]) -> Iterator[NextStep]:
    """Yields a step for the obstacles to the area's invoice. The SITHS administration resolves them where it keeps customers and
    prices.
    """
    if obstacles := readiness.invoice_obstacles(party_id, offered):
        why = _("{obstacles} Månaden kan inte faktureras förrän SITHS-förvaltningen har rättat det.")
        text = why.format(obstacles=" ".join(obstacles))
        yield NextStep(_("Faktureringen är inte klar"), "", text, awaits=frozenset({Party.ADMINISTRATION}))


def left_to(steps: Collection[NextStep]) -> str:
    """Returns a sentence naming the parties that take the steps. Returns an empty string if the reader can take one of them."""
    if not all(step.awaits for step in steps):
        return ""
    parties = {party for step in steps for party in step.awaits}
    named = {
        Party.ADMINISTRATION: _("SITHS-förvaltningen"),
        Party.ISSUER: _("ansvarig utgivare"),
        Party.SUPPLIER: _("kortleverantören"),
    }
    whose = _(" och ").join(name for party, name in named.items() if party in parties)
    return _("Stegen som är kvar görs av {whose}.").format(whose=whose) if whose else ""


def _step_of_other(step: NextStep, party: Party, who: str = "") -> NextStep:
    """Returns the step for a reader who may not take it. `who` is the sentence about who takes it, by default
    the SITHS administration.
    """
    whose = who or _("Steget görs av SITHS-förvaltningen.")
    return replace(step, url="", why=f"{step.why} {whose}", now=False, awaits=frozenset({party}))


def _step_of_issuer(step: NextStep) -> NextStep:
    return _step_of_other(step, Party.ISSUER, _("Områdets ansvariga utgivare ger rollerna."))


def _holder_steps(actor: Actor, head: AreaHead) -> Iterator[NextStep]:
    """Yields a step with the number of role holders in the area who lack training or person check and whom the actor may
    record.
    """
    if count := holders_to_train.count_lacking(actor=actor, area_id=head.id):
        text = ngettext(
            "{n} rollinnehavare saknar utbildning eller personkontroll",
            "{n} rollinnehavare saknar utbildning eller personkontroll",
            count,
        )
        why = _("De får inte beställa eller aktivera kort förrän utbildning och personkontroll är registrerade.")
        yield NextStep(text.format(n=count), holders_to_train.training_url(head.id), why, action=_("Registrera utbildning"))


def _organisation_steps(head: AreaHead, lacks: readiness.AreaLacks, *, offices: bool, gives_clerks: bool) -> Iterator[NextStep]:
    """Yields the steps for gaps of an area's organisations, each with the number of organisations."""
    if Action.LINK_OFFICE in head.rights and offices and (first := lacks.offices.first):
        text = ngettext("{n} organisation saknar kontor", "{n} organisationer saknar kontor", lacks.offices.count)
        why = _("Utan ett kopplat kontor kan inga kort beställas.")
        yield NextStep(
            text.format(n=lacks.offices.count), reverse("organisation_offices", args=[first]), why, action=_("Koppla kontor")
        )
    if Action.CHOOSE_ARTICLES in head.rights and lacks.articles.count:
        text = ngettext("{n} organisation saknar artiklar", "{n} organisationer saknar artiklar", lacks.articles.count)
        why = _("Ingen artikel som säljs nu är vald, så det finns inget kort att beställa.")
        yield NextStep(
            text.format(n=lacks.articles.count), reverse("area_articles", args=[head.id]), why, action=_("Välj artiklar")
        )
    if Action.CHOOSE_ARTICLES in head.rights and lacks.customisations.count:
        count = lacks.customisations.count
        text = ngettext("{n} organisation saknar kortanpassning", "{n} organisationer saknar kortanpassning", count)
        yield _missing_customisation_step(head, text.format(n=count), requested=lacks.requested)
    if Action.CHOOSE_ARTICLES in head.rights:
        for unready in (lacks.unready, lacks.pending):
            yield from _customisation_steps(head, unready, verifies=Action.VERIFY_CUSTOMISATION in head.rights)
    if lacks.clerks.count:
        count = lacks.clerks.count
        text = ngettext("{n} organisation saknar någon som beställer", "{n} organisationer saknar någon som beställer", count)
        why = ngettext(
            "Ingen ID-administratör eller biträdande utgivare med uppdrag får beställa kort för den nu.",
            "Ingen ID-administratör eller biträdande utgivare med uppdrag får beställa kort för dem nu.",
            count,
        )
        step = NextStep(text.format(n=count), reverse("area_role_add", args=[head.id]), why, action=_("Lägg till roller"))
        yield step if gives_clerks else _step_of_issuer(step)


def of_organisation(
    actor: Actor, head: OrganisationHead, found: OrganisationFacts, *, offices: bool, below: bool
) -> Iterator[NextStep]:
    """Yields the steps of an organisation, the same for the SITHS administration and for those who assign its roles (ADR 0221).
    `offices` is True if an open office is connected, `below` if the organisation has sub-organisations.
    """
    lacks = list(_gaps(actor, head, found, offices=offices))
    yield from lacks
    if Action.CHOOSE_ARTICLES in head.rights and found.pending:
        for step in _customisation_steps(head, [found.pending], verifies=Action.VERIFY_CUSTOMISATION in head.rights):
            yield replace(step, blocks=False)
    if lacks and not below and not head.is_sub_organisation and Action.CREATE_SUB_ORGANISATION in head.rights:
        why = _("Frivilligt: för en del av organisationen med egen behörighet eller egen logotyp på korten.")
        yield NextStep(_("Skapa underorganisation"), reverse("sub_organisation_new", args=[head.id]), why, blocks=False)


def takes_orders(head: OrganisationHead, found: OrganisationFacts, steps: Collection[NextStep]) -> bool:
    """Returns whether orders are possible in an organisation. Returns False for a reader to whom `steps` does not show every
    gap.
    """
    sees_all_steps = {Action.LINK_OFFICE, Action.CHOOSE_ARTICLES} <= head.rights and sets_up(head)
    return sees_all_steps and not any(step.blocks for step in steps) and bool(found.party)


def _gaps(actor: Actor, head: OrganisationHead, found: OrganisationFacts, *, offices: bool) -> Iterator[NextStep]:
    if Action.LINK_OFFICE in head.rights and not offices:
        yield _office_step(head)
    if Action.CHOOSE_ARTICLES in head.rights and not readiness.has_articles(head.id):
        why = _("Ingen artikel som säljs nu är vald, så det finns inget kort att beställa.")
        yield NextStep(_("Välj beställningsbara artiklar"), reverse("organisation_articles", args=[head.id]), why)
    if Action.CHOOSE_ARTICLES in head.rights and not found.customisation.name:
        why = _customisation_advice(head)
        url = reverse("organisation_customisation", args=[head.id])
        yield NextStep(_("Kortanpassning saknas"), url, why, action=_("Välj kortanpassning"))
    if Action.CHOOSE_ARTICLES in head.rights and (unready := found.customisation.unready):
        verifies = Action.VERIFY_CUSTOMISATION in head.rights
        if not found.customisation.own and not unready.missing:
            verifies = readiness.may_verify(actor=actor, customisation_id=unready.id)
        yield from _customisation_steps(head, [unready], verifies=verifies)
    gives_clerks = _may_assign_clerks(actor, head)
    if (gives_clerks or sets_up(head)) and not readiness.has_clerks(head.id):
        why = _("Ingen ID-administratör eller biträdande utgivare med uppdrag får beställa kort för organisationen nu.")
        step = NextStep(_("Lägg till behörighetsroll"), reverse("organisation_role_add", args=[head.id]), why)
        yield step if gives_clerks else _step_of_issuer(step)


def _office_step(head: OrganisationHead) -> NextStep:
    """Returns the step for an organisation without an office: connect one of the area, or create one if the area has none."""
    if readiness.area_has_offices(head.area.id):
        why = _("Utan ett kopplat kontor kan inga kort beställas för organisationens personer.")
        return NextStep(_("Koppla kontor"), reverse("organisation_offices", args=[head.id]), why)
    why = _("Utgivningsområdet har inget öppet kontor. Utan ett kopplat kontor kan inga kort beställas.")
    url = f"{reverse('office_new', args=[head.area.id])}?organisation={head.id}"
    if Action.EDIT_OFFICE in head.rights:
        return NextStep(_("Skapa kontor"), url, why)
    return _step_of_other(NextStep(_("Skapa kontor"), url, why), Party.ISSUER, _("Områdets ansvariga utgivare skapar kontor."))


def _customisation_steps(head: AreaHead | OrganisationHead, unready: Sequence[Unready], *, verifies: bool) -> Iterator[NextStep]:
    """Yields steps for card customisations in use, or pending, that block card production: each with what it waits for and who
    acts.
    """
    administers = Action.CREATE_ORGANISATION in head.rights
    waiting = [one for one in unready if not one.missing and not one.generic]
    if waiting:
        text = ngettext("Verifiera kortanpassningen", "Verifiera {n} kortanpassningar", len(waiting))
        url = _customisation_url(waiting, "waiting")
        step = NextStep(text.format(n=len(waiting)), url, _consequence(head, waiting), action=_("Granska och verifiera"))
        yield step if verifies else _step_of_other(step, Party.ISSUER, _("Steget görs av ansvarig eller biträdande utgivare."))
    for one in unready:
        if one.generic and not one.missing:
            url = reverse("customisation", args=[one.id])
            step = NextStep(_("Verifiera den generella kortanpassningen"), url, _consequence(head, [one]))
            yield step if administers else _step_of_other(step, Party.ADMINISTRATION)
    incomplete = [one for one in unready if one.missing]
    if incomplete:
        text = _("Kortanpassningen är inte klar")
        if isinstance(head, AreaHead):
            text = ngettext("{n} kortanpassning är inte klar", "{n} kortanpassningar är inte klara", len(incomplete))
        why = _consequence(head, incomplete)
        missing = {part for one in incomplete for part in one.missing}
        if "logotype" in missing:
            why += " " + _("Väntar på logotyp från kortleverantören.")
        if "supplier" in missing:
            why += " " + _("SITHS-förvaltningen väljer kortleverantör.")
        if missing & {"issuer_number", "back_text"}:
            why += " " + _("SITHS-förvaltningen skriver in utfärdarnummer och baksidestext.")
        own = administers and bool(missing & _OF_THE_ADMINISTRATION)
        awaits = {Party.SUPPLIER} if "logotype" in missing else set()
        if missing & _OF_THE_ADMINISTRATION:
            awaits.add(Party.ADMINISTRATION)
        url = _customisation_url(incomplete, "incomplete") if own else ""
        waits = frozenset() if own else frozenset(awaits)
        yield NextStep(text.format(n=len(incomplete)), url, why, awaits=waits, action=_("Fyll i det som saknas"))


def _customisation_url(unready: Sequence[Unready], state: str) -> str:
    """Returns the URL of the only customisation, or of the list filtered by `state`."""
    if len(unready) == 1:
        return reverse("customisation", args=[unready[0].id])
    return f"{reverse('customisations')}?status={state}"


def _consequence(head: AreaHead | OrganisationHead, unready: Sequence[Unready]) -> str:
    """Returns the consequence of customisations that are not ready. Either all of them are pending or none is."""
    if unready[0].pending:
        return ngettext(
            "Den nuvarande kortanpassningen gäller tills den nya är verifierad.",
            "De nuvarande kortanpassningarna gäller tills de nya är verifierade.",
            len(unready),
        )
    if isinstance(head, OrganisationHead):
        return _("Kort kan inte beställas för organisationens personer förrän kortanpassningen är verifierad.")
    count = sum(one.organisations for one in unready)
    text = ngettext("{n} organisation kan inte beställa kort än.", "{n} organisationer kan inte beställa kort än.", count)
    return text.format(n=count)


def _missing_customisation_step(head: AreaHead, text: str, *, requested: bool) -> NextStep:
    """Returns the step for organisations of an area without a card customisation.

    If the generic customisation is ready, the issuer chooses it or waits for an own one. The SITHS administration then has
    nothing to do before the supplier responds, unless an own customisation is requested (`requested`).
    """
    url = reverse("area_customisations", args=[head.id])
    if not generic_is_ready():
        why = _("Kort kan inte beställas. Det finns ingen generell kortanpassning än som kan gälla så länge.")
    elif Action.VERIFY_CUSTOMISATION in head.rights:
        why = _("Kort kan inte beställas. Välj den generella kortanpassningen, som kan gälla direkt, eller vänta på en egen.")
    elif requested:
        why = _(
            "Kort kan inte beställas. En egen kortanpassning är önskad. Områdets ansvariga utgivare kan välja den generella så "
            "länge."
        )
    else:
        why = _(
            "Kort kan inte beställas. Områdets ansvariga utgivare väljer den generella kortanpassningen eller väntar på en egen."
        )
        return NextStep(text, "", why, awaits=frozenset({Party.ISSUER, Party.SUPPLIER}))
    return NextStep(text, url, why, action=_("Välj kortanpassning"))


def _customisation_advice(head: OrganisationHead) -> str:
    """Returns what the reader does first if no card customisation exists (ADR 0189)."""
    if Action.VERIFY_CUSTOMISATION in head.rights:
        return _(
            "Önska en egen kortanpassning av SITHS-förvaltningen. Finns den generella kortanpassningen kan den användas så länge."
        )
    return _(
        "Be kortleverantören skapa kortanpassningen, och skriv in numren du får. Ansvarig utgivare verifierar, och kan låta den "
        "generella kortanpassningen gälla så länge."
    )


def _may_assign_clerks(actor: Actor, head: AreaHead | OrganisationHead) -> bool:
    given = (ASSIGNABLE.get(grant.role, frozenset()) for grant in actor.grants)
    return Action.ASSIGN_ROLE in head.rights and any(Role.ID_ADMINISTRATOR in roles for roles in given)
