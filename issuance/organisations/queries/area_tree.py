"""An area's organisations as a tree, complete or filtered by a text (rules/issuance 7.2)."""

from dataclasses import dataclass, field
from uuid import UUID

from issuance.administration.queries.change_words import organisation_number
from issuance.authz import Action, Actor
from issuance.organisations.models import Organisation
from issuance.organisations.queries.nesting import nested
from issuance.organisations.queries.places import paths_above


@dataclass
class Branch:
    """An organisation and those below it.

    `found` is False for one that is shown only because a match lies below it. `opened` marks the organisations to unfold.
    """

    id: UUID
    name: str
    number: str
    hsa_id: str
    found: bool
    opened: bool = False
    children: list["Branch"] = field(default_factory=list)


@dataclass(frozen=True)
class AreaTree:
    """The topmost organisations that the actor sees, how many they see in all, and how many of those match the text."""

    tops: tuple[Branch, ...]
    seen: int
    found: int


def tree(*, actor: Actor, area_id: UUID, text: str = "", under: UUID | None = None) -> AreaTree:
    """Returns the open organisations of an area that the actor sees, by name on each level.

    With `text`, only those that `matches`, and those above them. Organisations are unfolded down to the level directly below
    `under`, if the tree contains it. One query.
    """
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
    """True if `text` is part of an organisation's name or number, or begins its HSA-id. An empty text matches all."""
    search_text = " ".join(text.split()).casefold()
    digits = search_text.replace("-", "")
    return search_text in name.casefold() or hsa_id.casefold().startswith(search_text) or (digits.isdigit() and digits in number)
