"""The lists of roles: all role holders, the roles of an organisation, and requests for global roles."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from issuance.authz import Actor
from issuance.organisations.models import Organisation
from issuance.roles.queries import role_holders, roles
from issuance.roles.queries.ended_roles import EndedLine
from issuance.roles.queries.holders_to_train import HolderToTrain
from issuance.roles.queries.role_holders import Choice, HolderLine
from issuance.roles.queries.role_requests import RequestView
from issuance.roles.queries.roles import GrantLine
from siths_portal.lib.lists import Column, Empty, FormChoice, Key, Kind, List, Source, Tag

_CELLS = "roles/cells.html"


def _by(name: str) -> Key:
    return Key(name, nullable=False)


class RoleHolderList(List[HolderLine]):
    """Role holders that match `choice`. `kept` holds the query parameters; a name is represented by a handle."""

    counted_as = ngettext_lazy("{n} rollinnehavare", "{n} rollinnehavare")
    columns = (
        Column(key="namn", heading=gettext_lazy("Namn"), value="name", template=f"{_CELLS}#holder", sort=_by("sort_name")),
        Column(key="roller", heading=gettext_lazy("Roller"), value="roles", template=f"{_CELLS}#roles"),
        Column(
            key="kontroll",
            heading=gettext_lazy("Personkontroll"),
            value=lambda line: line.lines[0],
            template=f"{_CELLS}#kind",
            css="role-day",
            sort=_by("check_passed"),
        ),
        Column(
            key="utbildning",
            heading=gettext_lazy("Utbildning"),
            value=lambda line: line.lines[1],
            template=f"{_CELLS}#kind",
            css="role-day",
            sort=_by("training_passed"),
        ),
        Column(key="lage", heading=gettext_lazy("Status"), value="standing", template=f"{_CELLS}#standing", css="role-state"),
    )
    caption = gettext_lazy("Rollinnehavare")
    caption_hidden = True
    table_id = "rollinnehavare"
    order = "namn"
    count_to = 0  # counting would read the roles of everybody
    empty = Empty(gettext_lazy("Ingen rollinnehavare"), gettext_lazy("Ingen inom din behörighet stämmer med urvalet."))

    def __init__(self, request: HttpRequest, actor: Actor, choice: Choice, kept: dict[str, str]) -> None:
        super().__init__(request)
        self.actor, self.choice, self._parameters = actor, choice, kept

    def rows(self) -> Source[HolderLine]:
        """See `List`."""
        return role_holders.holders(actor=self.actor, choice=self.choice)

    def kept(self) -> Sequence[tuple[str, str]]:
        """See `List`."""
        return list(self._parameters.items())


class OrganisationRoleList(List[GrantLine]):
    """The roles in an organisation and in those below it."""

    counted_as = ngettext_lazy("{n} roll", "{n} roller")
    columns = (
        Column(
            key="namn",
            heading=gettext_lazy("Namn"),
            value="holder",
            sort=_by("person__sort_name"),
            link=lambda line: reverse("person_roles", args=[line.person_id]) if line.opens_person else "",
        ),
        Column(key="roll", heading=gettext_lazy("Behörighetsroll"), value="role_text", sort=_by("role_place")),
        Column(
            key="sekretess", heading=gettext_lazy("Sekretess"), value=lambda line: _("Ja") if line.protected_persons else _("Nej")
        ),
        Column(key="organisation", heading=gettext_lazy("Organisation"), value="place", sort=_by("organisation__name")),
        Column(key="till", heading=gettext_lazy("Gäller"), value="last", template=f"{_CELLS}#time", sort=_by("until")),
        Column(key="atgarder", heading=gettext_lazy("Åtgärder"), value="id", template=f"{_CELLS}#acts", heading_hidden=True),
    )
    caption = gettext_lazy("Behörighetsroller")
    caption_hidden = True
    table_id = "roller"
    css = "role-table"
    order = "namn"
    empty = Empty(
        gettext_lazy("Ingen har en roll här"),
        gettext_lazy("Roller som gäller en organisation ovanför omfattar även den här, men står där."),
    )

    def __init__(self, request: HttpRequest, actor: Actor, organisation: Organisation) -> None:
        super().__init__(request)
        self.actor, self.organisation = actor, organisation

    def rows(self) -> Source[GrantLine]:
        """See `List`."""
        return roles.of_organisation(actor=self.actor, organisation=self.organisation)


class EndedRoleList(List[EndedLine]):
    """The ended roles of a person, those that ended last first."""

    counted_as = ngettext_lazy("{n} roll", "{n} roller")
    columns = (
        Column(key="roll", heading=gettext_lazy("Behörighetsroll"), value="role"),
        Column(
            key="sekretess", heading=gettext_lazy("Sekretess"), value=lambda line: _("Ja") if line.protected_persons else _("Nej")
        ),
        Column(
            key="omfang",
            heading=gettext_lazy("Omfång"),
            value="place",
            below=lambda line: [line.place_number] if line.place_number else [],
        ),
        Column(key="fran", heading=gettext_lazy("Från"), value="first", kind=Kind.DAY, sort=_by("valid_from")),
        Column(key="till", heading=gettext_lazy("Till"), value="last", template=f"{_CELLS}#ended", sort=_by("valid_to")),
    )
    table_id = "avslutade"
    fragment = "avslutade"
    css = "role-table"
    order = "-till"
    count_to = 0
    heading_level = "3"
    empty = Empty(
        gettext_lazy("Ingen avslutad roll"),
        gettext_lazy("Ingen behörighetsroll inom din behörighet har avslutats."),
    )

    def __init__(self, request: HttpRequest, found: Source[EndedLine], fixed: Mapping[str, str]) -> None:
        """`fixed`: the parameters with which the page shows this list."""
        super().__init__(request)
        self.found, self._fixed = found, fixed

    def rows(self) -> Source[EndedLine]:
        """See `List`."""
        return self.found

    def fixed(self) -> Sequence[tuple[str, str]]:
        """See `List`."""
        return list(self._fixed.items())


class HolderToTrainList(List[HolderToTrain]):
    """Role holders who need training or a person check, as the choices of the form that records it."""

    counted_as = ngettext_lazy("{n} rollinnehavare", "{n} rollinnehavare")
    columns = (
        Column(
            key="namn",
            heading=gettext_lazy("Namn"),
            value="name",
            sort=_by("sort_name"),
            choice=FormChoice(field="person", sent="person_id", alone=True),
        ),
        Column(key="roller", heading=gettext_lazy("Roller"), value="roles", template=f"{_CELLS}#roles"),
        Column(
            key="kontroll",
            heading=gettext_lazy("Personkontroll"),
            value=lambda line: line.lines[0],
            template=f"{_CELLS}#needed",
            css="role-day",
        ),
        Column(
            key="utbildning",
            heading=gettext_lazy("Utbildning"),
            value=lambda line: line.lines[1],
            template=f"{_CELLS}#needed",
            css="role-day",
        ),
        Column(
            key="lage",
            heading=gettext_lazy("Status"),
            value=lambda line: Tag(line.standing.kind, line.standing.text) if line.standing else None,
            css="role-state",
            sort=_by("first_due"),
        ),
    )
    table_id = "rollinnehavare"
    order = "namn"
    count_to = 0  # to count them is to look at everybody's roles

    def __init__(
        self, request: HttpRequest, found: Source[HolderToTrain], *, fixed: Mapping[str, str], picked: Collection[UUID], back: str
    ) -> None:
        """`fixed`: the parameters that name the area; `back`: the page before."""
        super().__init__(request)
        self.found, self._fixed = found, fixed
        self.picked = {str(person_id) for person_id in picked} if picked or request.method == "POST" else None
        self.empty = Empty(
            _("Ingen saknar något"),
            _("Alla som utfärdar kort här har giltig utbildning och personkontroll."),
            back,
            _("Tillbaka"),
        )

    def rows(self) -> Source[HolderToTrain]:
        """See `List`."""
        return self.found

    def fixed(self) -> Sequence[tuple[str, str]]:
        """See `List`."""
        return list(self._fixed.items())


class RoleRequestList(List[RequestView]):
    """Requests for global roles. The page's heading with the id `table_id` titles the table."""

    counted_as = ngettext_lazy("{n} begäran", "{n} begäranden")
    columns = (
        Column(key="person", heading=gettext_lazy("Person"), template=f"{_CELLS}#request"),
        Column(key="roll", heading=gettext_lazy("Behörighetsroll"), value="role"),
        Column(key="av", heading=gettext_lazy("Begärd av"), value="requester"),
        Column(key="begard", heading=gettext_lazy("Begärd"), value="created_at", kind=Kind.MOMENT),
        Column(key="status", heading=gettext_lazy("Status"), value="state", template=f"{_CELLS}#request-state"),
    )
    by = ("-created_at",)

    def __init__(self, request: HttpRequest, found: Source[RequestView], *, table_id: str) -> None:
        super().__init__(request)
        self.found, self.table_id = found, table_id

    def rows(self) -> Source[RequestView]:
        """See `List`."""
        return self.found
