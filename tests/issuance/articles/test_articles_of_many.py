"""Articles for many organisations at once, and for one as for another: added, never taken away (rules/issuance 7.7)."""

import datetime as dt
from collections.abc import Collection
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance.articles.models import Article, OrganisationArticle
from issuance.articles.services.articles import add_articles, choose_articles, copy_articles, offer_article
from issuance.authz import Actor, Role
from issuance.organisations.models import Organisation
from issuance.organisations.services.organisations import create_organisation
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.errors import Forbidden, Invalid, NotFound
from siths_portal.lib.ids import new_id
from tests.issuance.world import SETUP


def orderable(organisation: Organisation) -> list[str]:
    rows = OrganisationArticle.objects.filter(organisation=organisation, orderable=True)
    return sorted(rows.values_list("article_id", flat=True))


def take(organisation: Organisation, *codes: str) -> None:
    for code in codes:
        offer_article(actor=SETUP, organisation_id=organisation.id, article_code=code, orderable=False)


def ended(code: str) -> None:
    Article.objects.filter(pk=code).update(valid_to=clock.today() - dt.timedelta(days=1))


def add(world: Any, picked: Collection[UUID] | None, *codes: str, actor: Actor | None = None) -> dict[UUID, int]:
    actor = actor or world.officer(role=Role.RESPONSIBLE_ISSUER)
    return add_articles(actor=actor, area_id=world.area.id, organisation_ids=picked, codes=codes)


def ward(world: Any, actor: Actor = SETUP) -> Organisation:
    return create_organisation(
        actor=actor, area_id=world.area.id, name="Avdelningen", hsa_id="TST2321000131-2000", organisation_number="2321000131",
        parent_id=world.clinic.id, same_articles=True,
    )  # fmt: skip


class TestAdd:
    """`add_articles`."""

    def test_what_is_picked_is_added_and_what_was_there_stays(self, world: Any) -> None:
        take(world.city, "631", "631-REK")
        take(world.clinic, "631", "610")
        picked = [world.city.id, world.clinic.id, world.region.id]
        before = Event.objects.filter(action="organisation.article_set").count()
        assert add(world, picked, "631", "610") == {world.city.id: 1, world.clinic.id: 2}
        assert [orderable(row) for row in (world.city, world.clinic)] == [["610", "631"], ["610", "631", "631-REK"]]
        told = Event.objects.filter(action="organisation.article_set").order_by("id")[before:]
        assert {(event.subject_ref, event.facts["article"]) for event in told} == {
            (str(world.city.id), "631"),
            (str(world.clinic.id), "631"),
            (str(world.clinic.id), "610"),
        }
        assert add(world, picked, "631", "610") == {}

    def test_all_are_those_of_the_area(self, world: Any) -> None:
        take(world.city, "610")
        take(world.clinic, "610")
        assert set(add(world, None, "610")) == {world.city.id, world.clinic.id}
        assert orderable(world.stranger) == []

    def test_more_organisations_cost_no_more_queries(self, world: Any) -> None:
        actor, spent = world.officer(role=Role.RESPONSIBLE_ISSUER), []
        for rows in ([world.city], [world.clinic, world.region]):
            for row in rows:
                take(row, "631", "610")
            with CaptureQueriesContext(connection) as queries:
                add(world, [row.id for row in rows], "631", "610", actor=actor)
            spent.append(len(queries))
        assert spent[0] == spent[1]

    def test_nothing_is_written_if_one_is_refused(self, world: Any) -> None:
        take(world.city, "610", "631")
        for picked, codes, field in (
            ([world.city.id], ["610", "nej"], "article"),
            ([world.city.id], ["610", "631\0"], "article"),
            ([world.city.id], [], "article"),
            ([], ["610"], "organisation"),
            ([world.city.id, world.stranger.id], ["610"], "organisation"),
            ([world.city.id, new_id()], ["610"], "organisation"),
        ):
            with pytest.raises(Invalid) as refused:
                add(world, picked, *codes)
            assert list(refused.value.fields) == [field]
        for shown, picked in (([], ["631\0"]), (["631\0"], [])):
            with pytest.raises(Invalid):
                choose_articles(actor=SETUP, organisation_id=world.city.id, shown=shown, picked=picked)
        ended("610")
        with pytest.raises(Invalid) as refused:
            add(world, [world.city.id], "610", "631")
        assert "säljs inte längre" in refused.value.message
        assert orderable(world.city) == ["631-REK"]

    def test_who_may(self, world: Any) -> None:
        for actor, error in (
            (world.officer(role=Role.GLOBAL_READER), Forbidden),
            (world.officer(world.stranger, Role.RESPONSIBLE_ISSUER), NotFound),
            (world.officer(world.city, Role.DEPUTY_ISSUER), NotFound),
            (world.officer(world.city, Role.ID_ADMINISTRATOR), NotFound),
        ):
            with pytest.raises(error):
                add(world, [world.city.id], "631", actor=actor)


class TestSame:
    """`copy_articles`, and a new sub-organisation that takes over its parent's."""

    def test_another_organisations_are_added_but_for_what_is_no_longer_sold(self, world: Any) -> None:
        take(world.clinic, "631", "610", "631-REK")
        ended("610")
        actor = world.officer(role=Role.RESPONSIBLE_ISSUER)
        assert copy_articles(actor=actor, from_id=world.region.id, to_id=world.clinic.id) == 2
        assert orderable(world.clinic) == ["631", "631-REK"]
        take(world.region, "631")
        assert copy_articles(actor=actor, from_id=world.region.id, to_id=world.clinic.id) == 0
        assert orderable(world.clinic) == ["631", "631-REK"]

    def test_who_does_not_see_the_one_or_may_not_choose_for_the_other_is_refused(self, world: Any) -> None:
        deputy = world.officer(world.clinic, Role.DEPUTY_ISSUER)
        for actor, error in ((deputy, NotFound), (world.officer(role=Role.GLOBAL_READER), Forbidden)):
            with pytest.raises(error):
                copy_articles(actor=actor, from_id=world.region.id, to_id=world.clinic.id)

    def test_a_new_one_may_order_what_its_parent_may(self, world: Any) -> None:
        take(world.clinic, "610")
        made = ward(world, world.officer(role=Role.RESPONSIBLE_ISSUER))
        assert orderable(made) == ["631", "631-REK"]
        told = Event.objects.filter(action="organisation.article_set", subject_ref=str(made.id))
        assert sorted(event.facts["article"] for event in told) == ["631", "631-REK"]

    def test_one_at_the_top_has_no_parent_to_be_like(self, world: Any) -> None:
        made = create_organisation(
            actor=SETUP, area_id=world.area.id, name="Ny", hsa_id="TST2321000131-3000", organisation_number="2321000131",
            same_articles=True,
        )  # fmt: skip
        assert orderable(made) == []
