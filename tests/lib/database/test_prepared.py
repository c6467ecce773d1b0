"""Prepared queries: compiled once for each shape, right for each value, and no value of one call is left for another."""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models import F, QuerySet
from django.test.utils import CaptureQueriesContext

from authn.models import Session
from issuance.authz import Action, Role
from issuance.authz.actor import Actor, Grant, user
from siths_portal.lib import clock
from siths_portal.lib.database import prepared as prepared_module
from siths_portal.lib.database.prepared import Prepared, prepared
from siths_portal.lib.database.stand_ins import NotPreparable, split

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def sessions() -> list[Session]:
    return [
        Session.objects.create(
            key_hash=f"hash{number}",
            data="",
            hsa_id=hsa_id,
            created_at=NOW,
            last_seen_at=NOW,
            expires_at=NOW + dt.timedelta(number),
        )
        for number, hsa_id in enumerate(("SE1-A_B", "SE1-AXB", "SE1-A%C", "SE1-ANC"), 1)
    ]


@pytest.fixture(params=[False, True], ids=["planned", "logged"])
def logged(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both ways to ask: by the connection's plan, and in words for a log of queries."""
    if request.param:
        with CaptureQueriesContext(connection):
            yield
    else:
        yield


@prepared
def with_key(key: str) -> QuerySet[Session]:
    return Session.objects.filter(key_hash=key)


@prepared
def beginning(hsa_id: str) -> QuerySet[Session, Any]:
    return Session.objects.filter(hsa_id__startswith=hsa_id).order_by("hsa_id").values_list("hsa_id", flat=True)


@prepared
def among(keys: list[UUID]) -> QuerySet[Session]:
    return Session.objects.filter(pk__in=keys).order_by("key_hash")


@prepared
def alive(*, _unused: None = None) -> QuerySet[Session]:
    return Session.objects.filter(expires_at__gt=clock.now()).order_by("expires_at")


@pytest.mark.usefixtures("logged")
def test_each_call_has_its_own_values(sessions: list[Session]) -> None:
    for session in [*sessions, *sessions]:
        assert with_key(session.key_hash) == [session]
    assert with_key("hash9") == []
    assert with_key("\x02000001\x02") == []


@pytest.mark.usefixtures("logged", "sessions")
def test_a_value_in_a_pattern_is_escaped() -> None:
    assert beginning("SE1-A_") == ["SE1-A_B"]
    assert beginning("SE1-A%") == ["SE1-A%C"]
    assert beginning("\\") == []
    assert len(beginning("SE1-")) == 4


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("count", range(5))
def test_lists_of_any_length(sessions: list[Session], count: int) -> None:
    assert among([session.pk for session in sessions[:count]]) == sessions[:count]


def test_lists_of_similar_lengths_share_a_query() -> None:
    assert split([[uuid4(), uuid4()]]).shape == split([[uuid4() for _ in range(4)]]).shape
    assert split([[uuid4(), uuid4()]]).shape != split([[uuid4()]]).shape


@pytest.mark.usefixtures("logged")
def test_the_clock_is_read_by_each_call(sessions: list[Session]) -> None:
    for day in (0, 1, 2):
        with clock.moved_to(NOW + dt.timedelta(days=day, seconds=1)):
            assert alive() == sessions[day:]


def test_a_value_that_is_computed_with_is_refused() -> None:
    @prepared
    def of_yesterday() -> QuerySet[Session]:
        return Session.objects.filter(created_at__lt=clock.now() - dt.timedelta(days=1))

    @prepared
    def in_upper_case(key: str) -> QuerySet[Session]:
        return Session.objects.filter(key_hash=f"a{key}b")

    @prepared
    def cut(key: str) -> QuerySet[Session]:
        return Session.objects.filter(key_hash=key[:-1])

    with pytest.raises(NotPreparable):
        of_yesterday()
    with pytest.raises(NotPreparable):
        cut("abc")
    with pytest.raises(NotPreparable):
        in_upper_case("c")
    with pytest.raises(NotPreparable):
        with_key(object())  # type: ignore[arg-type]


def test_a_query_is_built_once_and_planned_once(sessions: list[Session]) -> None:
    built = []

    def build(key: str) -> QuerySet[Session]:
        built.append(key)
        return Session.objects.filter(key_hash=key)

    query = Prepared(build)
    for session in sessions:
        assert query(session.key_hash) == [session]
    assert len(built) <= 1 + 2  # tests/prepared_queries.py builds it twice more, to compare
    with connection.cursor() as cursor:
        used = "generic_plans + custom_plans > 0"
        cursor.execute(f"SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%authn_session%' AND {used}")
        assert cursor.fetchone()[0] > 0


def test_a_connection_that_was_closed_plans_anew(sessions: list[Session]) -> None:
    assert with_key("hash1") == sessions[:1]
    plans = prepared_module._planned[connection.connection]
    assert plans
    plans.clear()  # as of a new connection
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    assert with_key("hash2") == sessions[1:2]


def test_related_rows_and_annotations_come_along(sessions: list[Session]) -> None:
    @prepared
    def annotated(key: str) -> QuerySet[Session]:
        return Session.objects.filter(key_hash=key).annotate(other=F("hsa_id")).defer("data")

    for session in sessions[:2]:
        (row,) = annotated(session.key_hash)
        assert row.other == session.hsa_id  # type: ignore[attr-defined]
        assert row.get_deferred_fields() == {"data"}


def actor(*grants: tuple[Role, str, bool], extended: int = 0) -> Actor:
    return user(uuid4(), tuple(Grant(*each) for each in grants), frozenset(uuid4() for _ in range(extended)))


CLERK, ISSUER = Role.ID_ADMINISTRATOR, Role.RESPONSIBLE_ISSUER


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ([(CLERK, "/a/b/", False)], [(CLERK, "/c/d/", False)], True),
        ([(CLERK, "/a/b/", False)], [(CLERK, "/a/b/", True)], False),
        ([(CLERK, "/a/b/", False)], [(ISSUER, "/a/b/", False)], False),
        ([(CLERK, "/a/b/", False)], [(CLERK, "/", False)], False),
        ([(CLERK, "/a/", False), (ISSUER, "/a/b/", False)], [(CLERK, "/c/", False), (ISSUER, "/c/d/", False)], True),
        ([(CLERK, "/a/", False), (ISSUER, "/a/b/", False)], [(CLERK, "/c/", False), (ISSUER, "/d/e/", False)], False),
    ],
)
def test_actors_share_a_query_only_if_it_looks_alike(one: Any, other: Any, *, alike: bool) -> None:
    assert (split([actor(*one)]).shape == split([actor(*other)]).shape) is alike
    assert split([actor(*one)]).shape != split([actor(*one, extended=1)]).shape


def test_an_actor_s_stand_in_may_do_the_same() -> None:
    real = actor((CLERK, "/a/b/", True), (ISSUER, "/a/", False))
    (stand_in,) = split([real]).arguments
    assert {grant.role for grant in stand_in.grants} == {CLERK, ISSUER}
    below = {grant.role: grant.scope_path for grant in stand_in.grants}
    assert below[CLERK].startswith(below[ISSUER])
    assert any(grant.allows(Action.VIEW) for grant in stand_in.grants)
    assert not {"/a/b/", "/a/"} & set(below.values())
