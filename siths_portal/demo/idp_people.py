"""The test persons of the identity provider simulator: the role holders of the demo, and one person without a role."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from issuance.authz import Role
from issuance.authz.role_names import ROLE
from siths_portal.demo import newcomers
from siths_portal.demo.people import DemoPerson, person
from siths_portal.demo.places import PLACES
from siths_portal.lib.files.atomic import write_atomically

_UNITS = {place.hsa_id: place.name for place in PLACES} | {place.hsa_id: place.name for place in newcomers.PLACES}


def file() -> Path:
    """Returns the path of the simulator's data file."""
    return settings.VAR_DIR / "simulators" / "idp" / "people.json"


def write() -> None:
    """Writes the demo's role holders from the widest role to the narrowest, a person without a role, and those who may get a
    role in the new area. The simulator leaves the choice of HSA-id to the portal."""
    write_atomically(file(), json.dumps(list(_entries()), ensure_ascii=False, indent=1).encode(), mode=0o600)


def _entries() -> Iterator[dict[str, Any]]:
    holders = [role for place in PLACES for role in place.roles]
    order = list(Role)
    for index, (role, protected) in sorted(enumerate(holders), key=lambda entry: order.index(entry[1][0])):
        yield _entry(person(index), _title(role, protected=protected), _name(role))
    yield _entry(person(len(holders)), "")
    for one in newcomers.newcomers():
        # The text is true before and after the role is given, because the provider does not learn of it.
        yield _entry(
            one.person, f"i guiden {one.role}, kan logga in när rollen är utdelad", f"Guidens personer i {newcomers.AREA}"
        )


def _entry(one: DemoPerson, role: str, group: str = "") -> dict[str, Any]:
    return {
        "given_name": one.register.given_name_in_use,
        "surname": one.register.surname,
        "personnummer": one.person_id.value,
        "posts": [{"hsa_id": post.hsa_id, "unit": _UNITS[post.organisation_hsa_id]} for post in one.posts],
        "role": role,
        "group": group,
        "defer_choice": True,
    }


def _title(role: Role, *, protected: bool) -> str:
    """Returns the Swedish name of the role. For an administrator it also names the other two roles, so a search finds them."""
    name = f"{_name(role)}, även PKI-drift och ekonomi" if role is Role.MASTER_DATA_ADMIN else _name(role)
    return f"{name}, även skyddade personer" if protected else name


def _name(role: Role) -> str:
    """Returns the list's name for holders of the role. Administrators have three roles and one name."""
    return "Förvaltningsadministratör" if role is Role.MASTER_DATA_ADMIN else str(ROLE[role.value])
