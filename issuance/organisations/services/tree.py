"""Scope paths of the tree. Only create and move write them, one change at a time."""

from uuid import UUID

from issuance.organisations.models import IssuingArea, Organisation
from siths_portal.lib.database.locks import lock_until_commit
from siths_portal.lib.errors import Conflict


def segment(letter: str, row_id: UUID) -> str:
    """Returns a row's part of a scope path: its letter and the last 48 bits of its id, which are random."""
    return letter + row_id.hex[-12:]


def child_path(above: IssuingArea | Organisation, organisation: Organisation) -> str:
    """Returns the scope path of `organisation` directly below `above`."""
    return f"{above.scope_path}{segment('o', organisation.id)}/"


def top_path(path: str) -> str:
    """Returns the scope path of the top organisation of this path: the path itself if it is at the top."""
    return "/".join(path.split("/")[:3]) + "/"


def require_room(length: int) -> None:
    """Raises Conflict if a scope path of this length does not fit in its column."""
    if length > (Organisation._meta.get_field("scope_path").max_length or 0):
        raise Conflict("tree-too-deep", "Organisationen skulle ligga för långt ner. Välj en organisation högre upp i trädet.")


def lock_tree() -> None:
    """Serialises changes of the tree, so that no path is derived from one that is being moved."""
    lock_until_commit(Organisation._meta.db_table)
