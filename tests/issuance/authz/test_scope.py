"""Who sees what: scope flows downward, protected persons stay hidden, and hidden cannot be told from missing (S09, S10, S13)."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance.authz import Action, Role, client, policy, system
from issuance.authz.roles import ALLOWED
from issuance.carriers.models import Carrier, Eid
from issuance.offices.models import Office
from issuance.orders.models.orders import CardOrder
from issuance.organisations.models import IssuingArea, Organisation
from issuance.people.models.persons import Person, Post
from issuance.roles.services import role_assignment
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock
from siths_portal.lib.errors import Forbidden, NotFound
from tests.issuance.world import SETUP, qualify

# rules/issuance 1.2: rows of the matrix that exist, columns SYS in its three parts (master data, PKI, finance; ADR 0295), GSp GLä
# AU Bitr ID-adm Res3 Res2 Spärr Läs Ekonomiansvarig.
ROLES = [
    Role.MASTER_DATA_ADMIN, Role.PKI_OPERATOR, Role.FINANCE_ADMIN, Role.GLOBAL_REVOKER, Role.GLOBAL_READER,
    Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER, Role.ID_ADMINISTRATOR, Role.RESERVE_CARD_ADMIN_LOA3,
    Role.RESERVE_CARD_ADMIN_LOA2, Role.REVOKER, Role.READER, Role.CUSTOMER_FINANCE,
]  # fmt: skip
MATRIX = {
    Action.VIEW: "Y--YYYYYYYYY-",
    Action.EXTENDED_SEARCH: "Y--YYYYYY-Y--",
    Action.VIEW_HISTORY: "Y--YYYYYYYYY-",
    # Who answers for the clerks sees what they looked at.
    Action.VIEW_ACCESS_LOG: "Y---YY-------",
    Action.VIEW_RECEIPT: "Y---YYYYYY-Y-",
    Action.VIEW_PHOTO: "-----YYYYY---",
    Action.ORDER_ORDINARY_CARD: "-----YYY-----",
    Action.ACTIVATE_ORDINARY_CARD: "-----YYY-----",
    Action.REMOVE_ORDER: "-----YYY-----",
    Action.ORDER_RESERVE_BUNDLE: "-----YY------",
    Action.KEEP_STOCK: "-----YYYYY---",
    Action.KEEP_REGISTER: "Y----YYY-----",
    Action.ISSUE_RESERVE_CARD: "-----YYYYY---",
    Action.ISSUE_RESERVE_CARD_LOA3: "-----YYYY----",
    # Two persons on level 3: the second is of the roles that identify holders daily.
    Action.APPROVE_RESERVE_CARD: "-------YY----",
    Action.ORDER_EID: "-----YYYYY---",
    Action.WITHDRAW_EID_ORDER: "-----YYYYY---",
    Action.ORDER_PUK_LETTER: "-----YYY-----",
    Action.UNLOCK_CARD: "-----YYY-----",
    # Only the holder fetches.
    Action.FETCH_EID: "-------------",
    Action.ENROL_MOBILE_EID: "-------------",
    # A mistake is corrected by who made it, or by who answers for issuing.
    Action.WITHDRAW_IDENTIFICATION: "-----YYYYY---",
    Action.WITHDRAW_ANOTHERS_IDENTIFICATION: "-----Y-------",
    # Whoever identifies holders reports; who answers for the issuing decides.
    Action.REPORT_DOCUMENT: "-----YYYYY---",
    Action.JUDGE_DOCUMENT: "-----Y-------",
    Action.REVOKE_CARRIER: "Y--Y-YYYYYY--",
    Action.REVOKE_EID: "Y--Y-YYYYYY--",
    Action.ASSIGN_ROLE: "Y----YY------",
    # ADR 0296: who gives roles for the whole portal asks a second one.
    Action.ASSIGN_GLOBAL_ROLE: "Y------------",
    Action.EDIT_OFFICE: "Y----Y-------",
    Action.LINK_OFFICE: "Y----YY------",
    Action.CREATE_SUB_ORGANISATION: "Y----Y-------",
    Action.EDIT_RECEIPT_TEXT: "Y----YY------",
    Action.CHOOSE_ARTICLES: "Y----YY------",
    Action.VERIFY_CUSTOMISATION: "-----YY------",
    Action.CREATE_ORGANISATION: "Y------------",
    Action.VIEW_INVOICE: "--Y-YYY-----Y",
    Action.CORRECT_INVOICE_SERIES: "--Y----------",
    Action.MANAGE_BILLING: "--Y----------",
    # Who answers for an organisation knows how it wants to be invoiced.
    Action.CONFIRM_CUSTOMER: "-----YY------",
    Action.REGISTER_MIGRATED_CARD: "Y------------",
    Action.END_SESSION: "Y------------",
    # Who configures, and who reads everything, sees what is configured.
    Action.VIEW_CONFIGURATION: "Y---YYY----Y-",
    # The CAs belong to no organisation: only PKI operators see and change them (rules/issuance 1.2).
    Action.VIEW_PKI: "-Y-----------",
    Action.DECIDE_PKI: "-Y-----------",
    Action.CHANGE_CA_STATE: "-Y-----------",
    Action.MASS_REVOKE: "-Y-----------",
    # Deliveries to suppliers are operation, and hold no personal data that an operator reads.
    Action.OPERATE_SUPPLIERS: "-Y-----------",
    Action.EXPIRE: "-------------",
    Action.SUPPLY: "-------------",
    Action.READ_SUPPLIED: "-------------",
}


def test_the_permission_matrix_is_the_specification() -> None:
    assert set(MATRIX) == set(Action)
    assert {a: "".join("Y" if a in ALLOWED[role] else "-" for role in ROLES) for a in Action} == MATRIX


@pytest.mark.parametrize("role", ROLES)
def test_each_role_does_in_its_scope_what_the_matrix_says(world: Any, role: Role) -> None:
    """Ordered card of the region: every action by every role, through the policy."""
    rows = world.targets(world.order()) | {Action.EDIT_OFFICE: world.office}
    actor = world.officer(world.region, role)
    for action, cells in MATRIX.items():
        row = rows.get(action, world.region)
        assert policy.may(actor, action, row) == (cells[ROLES.index(role)] == "Y"), action


def test_scope_flows_downward_only(world: Any) -> None:
    posts = {name: world.post(getattr(world, name)) for name in ("region", "clinic", "city", "stranger")}
    expected = {
        "region": {"region", "clinic"},
        "clinic": {"clinic"},
        "city": {"city"},
        "stranger": {"stranger"},
    }
    for name, seen in expected.items():
        actor = world.officer(getattr(world, name))
        own = {actor.person_id}
        visible = set(Person.objects.visible_to(actor).values_list("id", flat=True)) - own
        wanted = {posts[other].person_id for other in seen}
        assert wanted <= visible
        assert not visible & {posts[other].person_id for other in set(posts) - seen}
    issuer = world.officer(world.region, Role.RESPONSIBLE_ISSUER)
    in_area = {posts[name].id for name in ("region", "clinic", "city")}
    assert in_area <= set(Post.objects.visible_to(issuer).values_list("id", flat=True))
    assert posts["stranger"].id not in set(Post.objects.visible_to(issuer).values_list("id", flat=True))


def test_every_scoped_model_follows_the_same_scope(world: Any) -> None:
    order = world.order(world.post(world.clinic), actor=world.officer(world.clinic))
    inside, above, beside = world.officer(world.clinic), world.officer(world.region), world.officer(world.city)
    rows = [(Post, order.eid.post_id), (Person, order.carrier.person_id), (Carrier, order.carrier_id), (Eid, order.eid_id)]
    for model, pk in [*rows, (CardOrder, order.id), (Organisation, world.clinic.id)]:
        for actor, seen in ((inside, True), (above, True), (beside, False)):
            assert model.objects.visible_to(actor).filter(pk=pk).exists() == seen, (model, actor)
    assert Office.objects.visible_to(inside).filter(pk=world.office.pk).exists()  # connected to the clinic
    assert not Office.objects.visible_to(world.officer(world.stranger)).exists()
    assert IssuingArea.objects.visible_to(world.officer(world.region, Role.RESPONSIBLE_ISSUER)).count() == 1


def test_an_eid_shows_its_carrier_for_reading_alone(world: Any) -> None:
    order = world.order()
    post = world.post(world.city)
    Eid.objects.create(
        carrier=order.carrier,
        post=post,
        organisation=world.city,
        hsa_id=post.hsa_id,
        state="ordered",
        created_at=order.ordered_at,
    )
    actor = world.officer(world.city)
    assert policy.may(actor, Action.VIEW, order.carrier)
    assert policy.may(actor, Action.VIEW_RECEIPT, order.carrier)
    assert not policy.may(actor, Action.REVOKE_CARRIER, order.carrier)
    with pytest.raises(Forbidden):
        policy.require(actor, Action.REVOKE_CARRIER, order.carrier)


@pytest.mark.parametrize("flag", ["protected_person_indicator", "protected_population_record"])
def test_protected_persons_are_seen_with_the_add_on_alone(world: Any, flag: str) -> None:
    post = world.post(**{flag: True})
    without, with_it = world.officer(), world.officer(protected=True)
    order = world.order(post, actor=with_it)
    rows = [(Person, post.person_id), (Post, post.id), (Carrier, order.carrier_id), (Eid, order.eid_id), (CardOrder, order.id)]
    for model, pk in rows:
        assert model.objects.visible_to(with_it).filter(pk=pk).exists()
        assert not model.objects.visible_to(without).filter(pk=pk).exists()
        assert not model.objects.visible_to(world.officer(role=Role.MASTER_DATA_ADMIN)).filter(pk=pk).exists()
    assert policy.may(without, Action.VIEW, world.region)  # the organisation itself is no person


def test_the_add_on_of_one_role_does_not_lend_itself_to_another(world: Any) -> None:
    """Protected in the city by a reader's add-on, not in the region by the same person's plain role."""
    person = world.post(world.region).person
    role_assignment.assign_role(
        actor=SETUP, person_id=person.id, role=Role.READER, organisation_id=world.city.id, protected_persons=True
    )
    qualify(person.id)
    role_assignment.assign_role(actor=SETUP, person_id=person.id, role=Role.ID_ADMINISTRATOR, organisation_id=world.region.id)
    actor = actor_of_person(person.id)
    there, here = world.post(world.city, protected=True), world.post(world.region, protected=True)
    assert set(Post.objects.visible_to(actor).filter(pk__in=[there.pk, here.pk])) == {there}
    assert not Post.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD).filter(pk__in=[there.pk, here.pk]).exists()


@pytest.mark.parametrize("action", [Action.VIEW, Action.ORDER_ORDINARY_CARD])
def test_hidden_and_missing_give_the_same_answer_by_the_same_queries(world: Any, action: Action) -> None:
    actor = world.officer(world.clinic)
    answers = []
    for pk in (world.post(world.city).pk, world.post(world.clinic, protected=True).pk, world.post(world.region).pk, uuid.uuid4()):
        with (
            CaptureQueriesContext(
                connection,
            ) as queries,
            pytest.raises(NotFound) as refused,
        ):
            policy.get(actor, action, Post.objects.all(), pk)
        shape = [query["sql"].replace(str(pk), "?") for query in queries.captured_queries]
        answers.append((refused.value.code, refused.value.message, shape))
    assert all(answer == answers[0] for answer in answers)
    with pytest.raises(NotFound):
        policy.get(actor, action, Post.objects.all(), "no-uuid")


def test_seen_but_not_allowed_is_forbidden(world: Any) -> None:
    reader = world.officer(role=Role.READER)
    post = world.post()
    assert policy.get(reader, Action.VIEW, Post.objects.all(), post.pk) == post
    with pytest.raises(Forbidden) as refused:
        policy.get(reader, Action.ORDER_ORDINARY_CARD, Post.objects.all(), post.pk)
    assert refused.value.http_status == 403


def test_nobody_acts_for_himself(world: Any) -> None:
    actor = world.officer()
    own = Post.objects.get(person_id=actor.person_id)
    assert policy.may(actor, Action.VIEW, own)
    with pytest.raises(Forbidden, match="own-matter"):
        policy.require(actor, Action.ORDER_ORDINARY_CARD, own)


def test_no_grant_sees_nothing_and_an_ended_one_ends_at_once(world: Any) -> None:
    post = world.post()
    nobody = actor_of_person(post.person_id)
    for model in (Person, Post, Organisation, CardOrder):
        assert not model.objects.visible_to(nobody).exists()
    actor = world.officer()
    grant = Person.objects.get(pk=actor.person_id).role_grants.get()
    role_assignment.end_role(actor=SETUP, grant_id=grant.id)
    assert actor_of_person(actor.person_id).grants == ()


@pytest.mark.parametrize("change", [{"ended_at": clock.now()}, {"valid_to": clock.today() - dt.timedelta(days=1)}])
def test_a_role_rests_while_its_holder_has_no_post(world: Any, change: dict[str, Any]) -> None:
    actor = world.officer()
    Post.objects.filter(person_id=actor.person_id).update(**change)
    assert actor_of_person(actor.person_id).grants == ()
    Post.objects.filter(person_id=actor.person_id).update(ended_at=None, valid_to=clock.today())
    assert actor_of_person(actor.person_id) == actor


def test_a_client_without_a_name_is_no_client() -> None:
    with pytest.raises(ValueError, match="reference"):
        client("")


def test_clients_and_rules_see_only_what_is_theirs(world: Any) -> None:
    order = world.order()
    supplier = client("bureau")
    assert not CardOrder.objects.visible_to(supplier).exists()
    assert not Person.objects.visible_to(supplier, Action.SUPPLY).exists()
    assert list(CardOrder.objects.visible_to(supplier, Action.SUPPLY)) == [order]
    assert not CardOrder.objects.visible_to(client("another"), Action.SUPPLY).exists()
    rule = system("expiry")
    assert Carrier.objects.visible_to(rule, Action.EXPIRE).count() == 1
    assert not Carrier.objects.visible_to(rule, Action.REVOKE_CARRIER).exists()
    with pytest.raises(KeyError):
        system("anything")


def test_a_page_of_people_in_scope_takes_one_query(world: Any) -> None:
    for _ in range(5):
        world.post()
    actor = world.officer()
    with CaptureQueriesContext(connection) as queries:
        assert len(list(Person.objects.visible_to(actor).order_by("sort_name")[:50])) == 6
    assert len(queries) == 1


class TestRoles:
    """Roles are given by those above, inside their scope, and never to oneself (rules/issuance 1.1, 1.3)."""

    @pytest.mark.parametrize(
        ("giver", "role", "allowed"),
        [
            (Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER, True),
            (Role.RESPONSIBLE_ISSUER, Role.READER, True),
            (Role.RESPONSIBLE_ISSUER, Role.RESPONSIBLE_ISSUER, False),
            (Role.DEPUTY_ISSUER, Role.ID_ADMINISTRATOR, True),
            (Role.DEPUTY_ISSUER, Role.DEPUTY_ISSUER, False),
            (Role.MASTER_DATA_ADMIN, Role.RESPONSIBLE_ISSUER, True),
            (Role.MASTER_DATA_ADMIN, Role.ID_ADMINISTRATOR, False),
            (Role.ID_ADMINISTRATOR, Role.READER, False),
        ],
    )
    def test_only_below_ones_own(self, world: Any, giver: Role, role: Role, allowed: bool) -> None:
        actor = world.officer(world.region, giver)
        person = world.post(world.region).person
        reach = {"area_id": world.area.id} if role is Role.RESPONSIBLE_ISSUER else {"organisation_id": world.region.id}
        if allowed:
            role_assignment.assign_role(actor=actor, person_id=person.id, role=role, **reach)
        else:
            with pytest.raises(Forbidden):
                role_assignment.assign_role(actor=actor, person_id=person.id, role=role, **reach)
        assert person.role_grants.count() == allowed

    def test_only_inside_ones_scope_and_never_to_oneself(self, world: Any) -> None:
        deputy = world.officer(world.clinic, Role.DEPUTY_ISSUER)
        person = world.post(world.clinic).person
        with pytest.raises(NotFound):
            role_assignment.assign_role(actor=deputy, person_id=person.id, role=Role.READER, organisation_id=world.region.id)
        with pytest.raises(Forbidden, match="own-matter"):
            role_assignment.assign_role(
                actor=deputy, person_id=deputy.person_id, role=Role.READER, organisation_id=world.clinic.id
            )

    def test_the_add_on_is_given_by_those_who_have_it(self, world: Any) -> None:
        person = world.post(world.region).person
        arguments = {"person_id": person.id, "role": Role.READER, "organisation_id": world.region.id, "protected_persons": True}
        with pytest.raises(Forbidden):
            role_assignment.assign_role(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), **arguments)
        role_assignment.assign_role(actor=world.officer(role=Role.RESPONSIBLE_ISSUER, protected=True), **arguments)


@pytest.mark.parametrize("role", ROLES)
def test_rights_that_come_with_the_rows_are_those_of_the_policy(world: Any, role: Role) -> None:
    """What a page offers on many rows in one query, and what each act would be told."""
    for organisation, protected in ((world.region, False), (world.clinic, True), (world.city, False), (world.stranger, False)):
        world.post(organisation, protected=protected)
    for organisation, protected in ((world.region, True), (world.clinic, False)):
        post = world.post(organisation, protected=protected)
        world.order(post, actor=world.officer(world.region, protected=True))
    for actor in (world.officer(world.clinic, role), world.officer(world.region, role, protected=True)):
        for model in (Person, Post, Carrier, Eid, CardOrder):
            rows = list(model.objects.with_rights(actor, Action))
            assert rows
            for action in Action:
                allowed = set(model.objects.visible_to(actor, action).values_list("pk", flat=True))
                assert {row.pk for row in rows if getattr(row, f"may_{action}")} == allowed, (model, action)


def test_ones_own_matter_is_known_before_the_act(world: Any) -> None:
    officer = world.officer()
    assert policy.is_own_matter(officer, Action.ORDER_ORDINARY_CARD, officer.person_id)
    assert not policy.is_own_matter(officer, Action.REVOKE_CARRIER, officer.person_id)
    assert not policy.is_own_matter(officer, Action.ORDER_ORDINARY_CARD, world.post().person_id)
