"""Pages of approvals under PKI name states, reasons and CAs by their words, in every state, and never by a code."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.test import Client
from django.urls import reverse

from issuance.operators.queries import pki_words
from pki.authorities import ca_states
from pki.domain.profiles import PROFILES
from pki.models import ApprovalRequest, ApprovalState, CertificateAuthority, MassRevocation
from siths_portal.lib import clock
from tests import superuser
from tests.issuance.operators import imports
from tests.issuance.operators.operators import client_of, operator
from tests.issuance.operators.test_mass_revocation import asked, certificates
from tests.issuance.person_page.test_pages import text_of
from tests.pki.mass_revocation.test_mass_revocation import profile

CA, NAME = "person-hsaid-3", "DEMO SITHS e-id Person HSA-id 3 CA v1"
LABELLED = re.compile(r"(?:Kortnamn|Format) [\w-]+")
"""Identifiers that operators need, with their labels; so are profiles, in their columns."""
SWEDISH = {"import"}
LISTS = ("pki_approvals", "pki_imports", "pki_ceremonies")
MATTER = ("pki_approval", "pki_approval_decide", "pki_approval_withdraw")
_STATE = """
UPDATE pki_approvalrequest SET state = %s, closed_at = CASE WHEN %s IN ('open', 'approved') THEN NULL ELSE now() END
WHERE action <> 'ceremony'
"""

_REPORT = {
    "crl_numbers": {f"{CA}:1": 7}, "ocsp_waiting": 0, "members_sha256": "0" * 64,
    "differences": {"members": 0, "passed": 0, "revoked_meanwhile": 0, "not_revoked": 0},
}  # fmt: skip


def codes() -> set[str]:
    """Every value of the choices of `pki` and `issuance`, and every slug of a CA."""
    every = [model for app in ("pki", "issuance") for model in apps.get_app_config(app).get_models()]
    fields = [field for model in every for field in model._meta.fields if isinstance(field, models.CharField)]
    values = {str(value) for field in fields for value, _label in field.flatchoices}
    slugs = set(CertificateAuthority.objects.values_list("slug", flat=True))
    return (values | slugs) - {"", *SWEDISH, *PROFILES}


def codes_in(text: str) -> set[str]:
    """The codes in a page's text."""
    known = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, codes()))})(?![\w.-])")
    return set(known.findall(LABELLED.sub("", text)))


def matters(client: Client) -> Iterator[tuple[str, str]]:
    """The lists, and every page of every matter."""
    for name in LISTS:
        yield name, text_of(client.get(reverse(name)))
    for row in ApprovalRequest.objects.all():
        more = {"import": ("pki_import",), "ca-state": ("pki_approval_carry_out",)}.get(row.action, ())
        for name in (*MATTER, *more):
            yield f"{name} {row.action} {row.state}", text_of(client.get(reverse(name, args=[row.pk])))


def mass(client: Client) -> Iterator[tuple[str, str]]:
    """The pages of every mass revocation, and the list."""
    yield "list", text_of(client.get(reverse("pki_mass_revocations")))
    for made in MassRevocation.objects.all():
        for name in ("pki_mass_revocation", "pki_mass_start", "pki_mass_stop"):
            yield f"{name} {made.state}", text_of(client.get(reverse(name, args=[made.pk])))


def test_each_profile_has_a_name_and_choices_have_both() -> None:
    assert set(pki_words.PROFILE) == {profile.name for profile in PROFILES.values()}
    assert pki_words.profile_choices(["transport", "letter", "person-hsaid-auth", "unknown"]) == [
        ("letter", "Brev med upplåsningskod (letter)"),
        ("person-hsaid-auth", "Legitimering med tjänste-id (person-hsaid-auth)"),
        ("transport", "Transport av reservkort (transport)"),
        ("unknown", "unknown"),
    ]


@pytest.mark.usefixtures("demo_pki")
def test_no_page_of_approvals_shows_a_code_and_all_agree_on_names_and_numbers(world: Any) -> None:
    client, wrong = client_of(operator(world)), set()
    version = profile()
    certificates(2, profile_version=version)
    certificates(1, profile_version=version, status="revoked", revoked_at=clock.now(), reason="superseded")
    made = asked(client, cas=[f"{CA}:1"], profiles=["person-hsaid-auth"])
    ca_states.plan_state_change(slug=CA, generation=1, target="retired", justification="Prov", requester_ref="user:nobody")
    imports.begun(imports.approved(imports.asked("function", inputs="aa" * 32)))

    def look(pages: Iterator[tuple[str, str]]) -> None:
        for name, text in pages:
            wrong.update((code, name) for code in codes_in(text))
            if "Spärra " in text:
                assert "mass" not in name or f"Spärra 2 certifikat från {NAME}" in text, name

    for state in ApprovalState.values:
        with superuser.cursor() as cursor:
            cursor.execute(_STATE, [state, state])
        look(matters(client))
        if state != "used":  # by a mass revocation that was started
            look(mass(client))
    for started in ("running", "stopped", "publishing", "finished"):
        MassRevocation.objects.filter(pk=made.id).update(state=started, started_at=clock.now(), report=_REPORT)
        look(mass(client))
    assert wrong == set()
