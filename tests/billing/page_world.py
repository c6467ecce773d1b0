"""The parties of billing's tests as issuing organisations of the portal, with people who hold each role there."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.test import Client

from issuance.authz import Role
from issuance.organisations.models import IssuingArea, Organisation
from issuance.people.models.persons import Person
from siths_portal.lib import clock
from tests.billing.world import MUNICIPALITY, REGION
from tests.issuance.world import World
from tests.portal import portal_client


@dataclass
class PageWorld:
    """`region` and `municipality` are the parties; `clinic` lies below the region."""

    world: World
    region: Organisation = field(init=False)
    municipality: Organisation = field(init=False)
    clinic: Organisation = field(init=False)
    counts: ClassVar[dict[str, set[int]]] = {}

    def __post_init__(self) -> None:
        self.region = self._party(REGION, "Västra Götalandsregionen", "v")
        self.municipality = self._party(MUNICIPALITY, "Demo kommun", "d")
        self.clinic = self._organisation("Kliniken", "v", self.region.area, parent=self.region)

    def _party(self, party_id: Any, name: str, path: str) -> Organisation:
        area = IssuingArea.objects.create(name=name, scope_path=f"/{path}/", created_at=clock.now())
        area.issuing_organisation = self._organisation(name, path, area, id=party_id)
        area.save()
        return area.issuing_organisation

    @staticmethod
    def _organisation(name: str, path: str, area: IssuingArea, **values: Any) -> Organisation:
        inner = "parent/child" if values.get("parent") else "parent"
        return Organisation.objects.create(
            area=area, name=name, hsa_id=f"TST232999{len(name):04}-{path}{name[:3]}", organisation_number="2329990010",
            scope_path=f"/{path}/{inner}/", created_at=clock.now(), **values,
        )  # fmt: skip

    def person(self, role: Role, organisation: Organisation | None = None) -> Person:
        """Who holds `role` over the region or `organisation`."""
        actor = self.world.officer(organisation or self.region, role)
        return Person.objects.get(pk=actor.person_id)

    def client(self, role: Role, organisation: Organisation | None = None) -> Client:
        """A browser in which this person is logged in."""
        return portal_client(self.person(role, organisation))
