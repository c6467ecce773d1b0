"""An area's organisations as a tree, whole or narrowed to those that a text finds (rules/issuance 7.2)."""

from dataclasses import dataclass, field
from uuid import UUID

from issuance.administration.queries.change_words import organisation_number
from issuance.authz import Action, Actor
from issuance.organisations.models import Organisation
from issuance.organisations.queries.nesting import nested
from issuance.organisations.queries.places import paths_above


@dataclass
class Branch:
    """An organisation, with those below it. `found` where it is what was searched for, not only above it; `opened` where what
    lies below is asked for, of it or of one below it."""

    id: UUID
    name: str
    number: str
    hsa_id: str
    found: bool
    opened: bool = False
    children: list["Branch"] = field(default_factory=list)


@dataclass(frozen=True)
class AreaTree:
    """The topmost organisations that the actor sees; how many he sees in all, and how many of them the text found."""

    tops: tuple[Branch, ...]
    seen: int
    found: int


def tree(*, actor: Actor, area_id: UUID, text: str = "", under: UUID | None = None) -> AreaTree:
    """The organisations of an area that the actor sees, but for ended ones, by name on each level; with `text` those that have
    it in name or number, or whose HSA-id begins with it, and those above them. Opened down to what lies directly below `under`,
    if that is one of them. One query."""
    rows = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id, closed_at=None)
    rows = rows.order_by("name", "pk")
    branches = {
        path: Branch(pk, name, organisation_number(number), hsa_id, matches(text, name, number, hsa_id))
        for pk, name, number, hsa_id, path in rows.values_list("pk", "name", "organisation_number", "hsa_id", "scope_path")
    }
    for path in [path for path, branch in branches.items() if branch.id == under]:
        for opened in (path, *paths_above(path)):
            if opened in branches:
                branches[opened].opened = True
    found = [path for path, branch in branches.items() if branch.found]
    kept = {each for path in found for each in (path, *paths_above(path))}
    return AreaTree(tuple(nested((path, branches[path]) for path in branches if path in kept)), len(branches), len(found))


def matches(text: str, name: str, number: str, hsa_id: str) -> bool:
    """True if the text is a part of an organisation's name or number, or the beginning of its HSA-id; an empty one is of all."""
    wanted = " ".join(text.split()).casefold()
    digits = wanted.replace("-", "")
    return wanted in name.casefold() or hsa_id.casefold().startswith(wanted) or (digits.isdigit() and digits in number)
