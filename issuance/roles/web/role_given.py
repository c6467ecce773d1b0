"""The message after a role was given: who has which role where, and which qualifications are missing (rules/issuance 1.3)."""

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from issuance.authz import Role
from issuance.authz.roles import QUALIFIED_ROLES
from issuance.records.web.frame import actor_of
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import qualifications as query
from issuance.roles.queries import role_words
from issuance.roles.queries.role_places import place_of
from issuance.roles.services import qualifications
from siths_portal.lib import clock

_NAMED = 4


def add_message(request: HttpRequest, grants: Sequence[RoleGrant]) -> None:
    """Adds the message about `grants` to the next page, with a link to the page that registers training."""
    parts = [
        part
        for part in (_("Behörighetsrollen är tillagd."), _given(grants), _next_actor(grants), _missing(request, grants))
        if part
    ]
    messages.success(request, format_html_join(" ", "{}", ((part,) for part in parts)))


def _given(grants: Sequence[RoleGrant]) -> str:
    first = grants[0]
    facts = {
        "name": f"{first.person.given_name_in_use} {first.person.surname}",
        "role": role_words.name(first.role),
        "places": _places(grants),
    }
    if first.valid_from <= clock.now():
        return _("{name} har rollen {role} i {places}.").format(**facts)
    day = first.valid_from.astimezone(clock.STOCKHOLM).date()
    return _("{name} får rollen {role} i {places} från och med {day}.").format(**facts, day=day)


def _next_actor(grants: Sequence[RoleGrant]) -> str:
    """Returns who acts next after a new responsible issuer was appointed."""
    if grants[0].role != Role.RESPONSIBLE_ISSUER:
        return ""
    return _("Den ansvariga utgivaren loggar nu in och ger rollerna i organisationerna.")


def _places(grants: Sequence[RoleGrant]) -> str:
    names = sorted(
        _("utgivningsområdet {name}").format(name=grant.area.name) if grant.area else place_of(grant) for grant in grants
    )
    if grants[0].area is None and grants[0].organisation is None:
        return _("hela portalen")
    if len(names) > _NAMED:
        names = [*names[: _NAMED - 1], _("{n} till").format(n=len(names) - _NAMED + 1)]
    return get_text_list(names, _("och"))


def _missing(request: HttpRequest, grants: Sequence[RoleGrant]) -> str | SafeString:
    """Returns which qualifications the holder of an issuing role lacks, with a link for actors who may record them."""
    first = grants[0]
    if Role(first.role) not in QUALIFIED_ROLES:
        return ""
    lacks = query.lacks(first.person_id)
    parts = ((_("{what} saknas."), lacks.missing), (_("{what} har gått ut."), lacks.over))
    sentences = " ".join(text.format(what=get_text_list(list(kinds), _("och")).capitalize()) for text, kinds in parts if kinds)
    if not sentences or not qualifications.may_record(actor_of(request), first.person_id):
        return sentences
    address = reverse("qualification_add", args=[first.person_id])
    return format_html(
        '{} <a class="ds-link" href="{}">{}</a>', sentences, address, _("Registrera utbildning eller personkontroll")
    )
