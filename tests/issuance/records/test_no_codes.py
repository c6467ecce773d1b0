"""Pages where one person asks and another decides, and pages of files and customisations, show no code."""

import datetime as dt
from typing import Any
from uuid import UUID

from django.test import Client
from django.urls import reverse

from issuance.authz import Role
from issuance.customisations.services.customisations import register_customisation
from issuance.organisations.models import Organisation
from issuance.revocation.services import revocation
from issuance.roles.models.role_requests import RoleRequest
from issuance.roles.services import role_requests
from siths_portal.lib import clock
from tests.issuance.imports.test_setup_import import issuer, kept, whole
from tests.issuance.operators.test_codes import codes_in
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.roles.test_pages import client_of
from tests.issuance.roles.test_role_requests import administrator, decide, requested
from tests.issuance.world import SETUP


class Reader:
    """Opens pages and notes each code on them."""

    def __init__(self, *clients: Client) -> None:
        self.clients = clients
        self.found: set[tuple[str, str]] = set()

    def look(self, name: str, *arguments: UUID | str) -> None:
        for client in self.clients:
            answer = client.get(reverse(name, args=arguments))
            assert answer.status_code == 200, (name, answer.status_code)
            self.found.update((code, name) for code in codes_in(text_of(answer)))


def test_requested_roles(world: Any) -> None:
    one, two = administrator(world), administrator(world)
    rows = [requested(one, world.post(surname=f"Ny{n}").person) for n in range(5)]
    decide(two, rows[0])
    decide(two, rows[1], approve=False, reason="Behövs inte.")
    role_requests.withdraw(actor=one, request_id=rows[2].pk)
    with clock.moved_to(clock.now() + dt.timedelta(days=60)):
        requested(one, rows[0].person, Role.GLOBAL_READER)
        role_requests.expire()
    assert set(RoleRequest.objects.values_list("state", flat=True)) == {"open", "approved", "rejected", "withdrawn", "expired"}
    reader = Reader(client_of(one), client_of(two))
    reader.look("role_requests")
    for row in rows:
        reader.look("role_request", row.pk)
        reader.look("person_history", row.person_id)
    assert reader.found == set()


def test_files_customisations_and_histories(world: Any) -> None:
    actor = issuer(world)
    row, _plan = kept(actor, whole(world)[0])
    register_customisation(
        actor=SETUP, organisation_id=world.clinic.id, customisation_id="7837803999", name="Ny", issuer_number="1549",
        back_text="Box 1", supplier_ref="supplier:demo",
    )  # fmt: skip
    reader = Reader(client_of(actor))
    reader.look("setup_import_preview", row.pk)
    reader.look("area_history", world.area.pk)
    for organisation in Organisation.objects.filter(area=world.area):
        reader.look("organisation_customisation", organisation.pk)
        reader.look("organisation_history", organisation.pk)
        for customisation in {organisation.customisation_id, organisation.pending_customisation_id} - {None}:
            reader.look("customisation", customisation)
            reader.look("customisation_history", customisation)
    assert reader.found == set()


def test_held_revocations(world: Any, settings: Any) -> None:
    settings.REVOCATIONS_PER_HOUR = 0
    actor = world.officer()
    second = world.officer(world.region, Role.RESPONSIBLE_ISSUER)
    for reason in ("lost_or_stolen", "replaced"):
        revocation.revoke_carrier(
            actor=actor, carrier_id=world.order().carrier_id, reason=reason, requester="holder", channel="visit"
        )
    reader = Reader(client_of(actor), client_of(second))
    reader.look("held_revocations")
    assert reader.found == set()
