"""Who may do what at which address: the whole portal as data. An address or a method that no row names fails the test.

`right` is PUBLIC, LOGGED_IN, or the action that `issuance.authz.roles.ALLOWED` must give the caller's role; `target` what the
address names, one of `world.Things`, or a maker of it for what belongs to one person or session. `ok` is the status when all is
well; everything else follows (`walker.expected`). A POST without `data` is an empty form: whoever may send it is told what is
missing (422), whoever may not is refused before.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

from issuance.authz import Action
from issuance.models import (
    CardCustomisation,
    CertificateSearch,
    EidAppTransaction,
    Identification,
    MassTrial,
    Office,
    OrderDraft,
    Organisation,
    Photo,
    Post,
    Search,
    SetupImport,
)
from pki import approvals, mass_revocation
from pki.models import ApprovalAction, Decision, MassRevocation
from siths_portal.lib import clock
from tests.access import pki_things, role_things
from tests.access.world import AccessWorld, Who

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Gate(Enum):
    """What an address that needs no action of a role demands."""

    PUBLIC = "public"
    LOGGED_IN = "logged in"


PUBLIC, LOGGED_IN = Gate.PUBLIC, Gate.LOGGED_IN

Maker = Callable[[AccessWorld, Who, str], tuple[Any, ...]]
"""Makes what an address names, in the transaction that is rolled back; returns the address's arguments."""


@dataclass(frozen=True)
class Row:
    """One address and method of the portal's face. `case` tells several rows of one method apart."""

    name: str
    method: str
    right: Gate | Action
    target: str | Maker | None = None
    ok: int = 200
    data: Mapping[str, Any] = field(default_factory=dict)
    case: str = ""
    more: tuple[Any, ...] = ()
    own: bool = False  # "inside" is the caller's own, every other one is somebody else's
    places: tuple[str, ...] = ()  # the relations that are asked about, where not all of them can be
    nowhere: bool = False  # lies in no organisation: whoever has the action reaches it
    unseen: int = 404  # what a role without the action gets; 403 where it may not even ask
    in_session: int = 0  # the status for whoever is logged in, where a public address has another one for them
    compared: tuple[str, ...] = ("body", "headers", "queries")

    @property
    def form(self) -> dict[str, Any]:
        """The fields to send; what depends on the moment is told now."""
        return {name: value() if callable(value) else value for name, value in self.data.items()}

    def __str__(self) -> str:
        return f"{self.method} {self.name}{f' ({self.case})' if self.case else ''}"


def _own_search(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A search of the caller's own session, or of another person's, or of none."""
    if relation == "unknown":
        return (UUID(int=1),)
    mine = relation == "inside"
    row = Search.objects.create(
        owner_ref=access.actors[who].ref if mine else f"user:{uuid4()}", session_id=access.session_ids[who] if mine else uuid4(),
        kind="hsa_id", value="TST2321000131-X", hits=0, created_at=clock.now(),
    )  # fmt: skip
    return (row.pk,)


def _transaction(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """An eID app transaction that the caller opened for the card that was sent to somebody there."""
    carrier = access.things[relation].sent
    if relation == "unknown":
        return (carrier,)
    now = clock.now()
    identification = Identification.objects.create(
        carrier_id=carrier, officer_ref=access.actors[who].ref, identity_document="passport", at=now
    )
    row = EidAppTransaction.objects.create(
        carrier_id=carrier, identification=identification, kind="activate", state="created", officer_ref=access.actors[who].ref,
        origin="http://testserver", handle_sha256=uuid4().hex, terms_sha256="0" * 64, content_sha256="0" * 64, created_at=now,
        expires_at=now + dt.timedelta(minutes=5),
    )  # fmt: skip
    return (row.pk,)


def _completed(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The transaction by which somebody's card there was activated."""
    carrier = access.things[relation].active
    if relation == "unknown":
        return (carrier,)
    (pk,) = _transaction(access, who, relation)
    EidAppTransaction.objects.filter(pk=pk).update(carrier=carrier, state="completed", ended_at=clock.now())
    return (pk,)


def _draft(access: AccessWorld, who: Who, relation: str, *, article: str = "631") -> tuple[Any, ...]:
    """A draft of the caller's own for somebody there, with every answer but a photo."""
    things = access.things[relation]
    if relation == "unknown":
        return (things.orderable,)
    now = clock.now()
    post = Post.objects.select_related("organisation").get(pk=things.post)
    office = post.organisation.offices.get()
    row = OrderDraft.objects.create(
        owner_ref=access.actors[who].ref, person_id=things.orderable, post=post, article_id=article, office=office,
        created_at=now, updated_at=now,
    )  # fmt: skip
    return (row.pk,)


def _photo_draft(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The same for a card with photo, which has been uploaded and not looked at."""
    arguments = _draft(access, who, relation, article="610")
    if relation != "unknown":
        photo = Photo.objects.create(
            person_id=access.things[relation].orderable, pending=access.picture, width=60, height=80, uploaded_at=clock.now(),
            uploaded_by_ref=access.actors[who].ref,
        )  # fmt: skip
        OrderDraft.objects.filter(pk=arguments[0]).update(photo=photo)
    return arguments


def _anothers_draft(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The caller's own draft inside; a colleague's in the same place; none."""
    arguments = _draft(access, who, "unknown" if relation == "unknown" else "inside")
    if relation == "outside":
        OrderDraft.objects.filter(pk=arguments[0]).update(owner_ref=f"user:{uuid4()}")
    return arguments


def _authority(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A CA, by slug and generation."""
    return ("nobody-at-all" if relation == "unknown" else "person-hsaid-3", 1)


def _certificate_search(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A search for certificates of the caller's own session, or of another person's, or of none."""
    if relation == "unknown":
        return (UUID(int=1),)
    mine = relation == "inside"
    row = CertificateSearch.objects.create(
        owner_ref=access.actors[who].ref if mine else f"user:{uuid4()}", session_id=access.session_ids[who] if mine else uuid4(),
        form={}, criteria={"serials": ["0177AB"]}, created_at=clock.now(),
    )  # fmt: skip
    return (row.pk,)


def _setup_table(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A table of the set-up."""
    return ("ingenting" if relation == "unknown" else "kontor",)


def _setup_import(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A file that the caller sent, or somebody else, or nobody."""
    if relation == "unknown":
        return (UUID(int=1),)
    now = clock.now()
    row = SetupImport.objects.create(
        owner_ref=access.actors[who].ref if relation == "inside" else f"user:{uuid4()}", format="csv", sha256="0" * 64,
        rows=[{"kind": "kontor", "sheet": "", "number": 2, "values": {"name": "Prov"}, "odd": {}}], created_at=now,
        expires_at=now + dt.timedelta(hours=1),
    )  # fmt: skip
    return (row.pk,)


def _matter(access: AccessWorld, who: Who, relation: str, *, requester: str = "") -> tuple[Any, ...]:
    """A matter under dual control that somebody else, or `requester`, asked for."""
    if relation == "unknown":
        return (UUID(int=1),)
    made = approvals.request(
        action=ApprovalAction.MASS_REVOCATION, summary="Prov", document={}, requester_ref=requester or f"user:{uuid4()}"
    )
    return (made.pk,)


def _own_matter(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A matter that the caller asked for."""
    return _matter(access, who, relation, requester=access.actors[who].ref)


def _mass_trial(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A trial count of the caller's own session, or of another person's, or of none."""
    if relation == "unknown":
        return (UUID(int=1),)
    mine = relation == "inside"
    row = MassTrial.objects.create(
        owner_ref=access.actors[who].ref if mine else f"user:{uuid4()}", session_id=access.session_ids[who] if mine else uuid4(),
        selection={"unit_ref": "none"}, as_of=clock.now(), members_sha256=NOTHING, created_at=clock.now(),
        counted={
            "total": 1, "revocable": 1, "unmatched_serials": 0, "unmatched_keys": 0, "unmatched_examples": [],
            "groups": [{"ca": "function", "generation": 1, "profile": "function", "reserved": 0, "issued": 1, "revoked": 0}],
        },
    )  # fmt: skip
    return (row.pk,)


NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The hash of no certificates."""


def _mass(access: AccessWorld, who: Who, relation: str, *, state: str = "requested") -> tuple[Any, ...]:
    """A mass revocation that somebody asked for and others approved."""
    if relation == "unknown":
        return (UUID(int=1),)
    row = MassRevocation(
        id=uuid4(), selection={"unit_ref": "none"}, as_of=clock.now(), groups=[], total=0, revocable=0, members_sha256=NOTHING,
        reason="superseded", justification="Prov", received_at=clock.now(), channel="portal", requester="case:1",
        publish_crls=False, requested_by_ref=f"user:{uuid4()}", created_at=clock.now(), state=state,
    )  # fmt: skip
    row.approval_request = approvals.request(
        action=ApprovalAction.MASS_REVOCATION, summary="Prov", document=mass_revocation.document(row),
        requester_ref=row.requested_by_ref,
    )  # fmt: skip
    row.save(force_insert=True)
    for _ in range(row.approval_request.required):
        approvals.decide(
            request_id=row.approval_request.pk, approver_ref=f"user:{uuid4()}", decision=Decision.APPROVED,
            document_sha256=row.approval_request.document_sha256,
        )  # fmt: skip
    return (row.pk,)


def _running_mass(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """One that is under way."""
    return _mass(access, who, relation, state="running")


REVOCATION = {
    "step": "confirm", "reason": "lost_or_stolen", "justification": "", "requester": "holder", "requester_name": "",
    "channel": "visit", "received_at": lambda: f"{clock.now().astimezone(clock.STOCKHOLM):%Y-%m-%dT%H:%M}",
}  # fmt: skip
"""A whole request, which would revoke."""

ORDER, ACTIVATE, ASSIGN = Action.ORDER_ORDINARY_CARD, Action.ACTIVATE_ORDINARY_CARD, Action.ASSIGN_ROLE
ORGANISATIONS = ("inside", "parent", "child", "beside", "outside", "unknown")
SUB_ORGANISATIONS = ("inside", "child", "outside", "unknown")
TOP_ORGANISATIONS = ("parent", "beside", "outside", "unknown")
AREAS = ("parent", "outside", "unknown")
"""No protection and no extended search concerns places; an area lies above everything in it."""


def _organisation(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """An organisation."""
    return (UUID(int=1) if relation == "unknown" else access.places[relation].pk,)


def _area(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """An issuing area."""
    return (UUID(int=1) if relation == "unknown" else access.places[relation].area_id,)


def _office(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """An office that one organisation may choose."""
    if relation == "unknown":
        return (UUID(int=1),)
    place = access.places[relation]
    row = Office.objects.create(area_id=place.area_id, name="Prov", invoice_comment="Prov", office_number="1000000001")
    row.organisations.add(place)
    return (row.pk,)


def _customisation(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A card customisation of one organisation's own."""
    if relation == "unknown":
        return (UUID(int=1),)
    row = CardCustomisation.objects.create(customisation_id="1000000001", name="Prov")
    Organisation.objects.filter(pk=access.places[relation].pk).update(customisation=row)
    return (row.pk,)


def _generic_customisation(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The card customisation that is nobody's own."""
    if relation == "unknown":
        return (UUID(int=1),)
    return (CardCustomisation.objects.create(customisation_id="1000000001", name="Prov", generic=True).pk,)


def _article(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """An article, by its code."""
    return ("999999" if relation == "unknown" else "631-REK",)


OF_ONES_OWN = ("body", "headers")
"""A draft of one's own for a person who went out of sight is asked for once more than none: its owner knows that it is there."""


def _draft_rows(name: str, target: Maker = _draft, *, ok: int) -> list[Row]:
    """A step of the wizard, shown, and answered with nothing."""
    return [
        Row(name, "GET", ORDER, target, compared=OF_ONES_OWN),
        Row(name, "POST", ORDER, target, ok=ok, compared=OF_ONES_OWN),
    ]


ROWS: list[Row] = [
    # house and frame
    Row("healthz/live", "GET", PUBLIC),
    Row("healthz/ready", "GET", PUBLIC),
    Row("start", "GET", PUBLIC, in_session=302),
    Row("help", "GET", PUBLIC),
    Row("accessibility", "GET", PUBLIC),
    Row("csp_report", "POST", PUBLIC, ok=204),
    # log-in and sessions
    Row("login", "GET", PUBLIC, in_session=302),
    Row("login", "POST", PUBLIC, ok=302),
    Row("login_callback", "GET", PUBLIC, ok=400),
    Row("login_post", "GET", PUBLIC, ok=302),
    Row("login_post", "POST", PUBLIC, ok=302),
    Row("session_state", "GET", LOGGED_IN),
    Row("session_continue", "POST", LOGGED_IN),
    Row("logout", "GET", PUBLIC, in_session=302),
    Row("logout", "POST", PUBLIC),
    Row("settings", "GET", LOGGED_IN),
    Row("settings", "POST", LOGGED_IN, ok=302),
    # search
    Row("search", "GET", Action.VIEW),
    Row("search", "POST", Action.VIEW, ok=422),
    Row("search", "POST", Action.EXTENDED_SEARCH, data={"text": "1024", "extended": "on"}, ok=422, case="extended"),
    Row("search_hits", "GET", Action.VIEW, _own_search, own=True),
    # person
    Row("person", "GET", Action.VIEW, "person"),
    Row("person_history", "GET", Action.VIEW_HISTORY, "person"),
    Row("person_photo", "GET", Action.VIEW_PHOTO, "person"),
    Row("carrier_history", "GET", Action.VIEW_HISTORY, "active"),
    Row("certificate", "GET", Action.VIEW, "certificate"),
    Row("certificate_pem", "GET", Action.VIEW, "certificate"),
    Row("receipt", "GET", Action.VIEW_RECEIPT, "active"),
    Row("receipt_pdf", "GET", Action.VIEW_RECEIPT, "active"),
    # revocation
    Row("carrier_revoke", "GET", Action.REVOKE_CARRIER, "active"),
    Row("carrier_revoke", "POST", Action.REVOKE_CARRIER, "active", ok=422),
    Row("carrier_revoke", "POST", Action.REVOKE_CARRIER, "active", ok=302, data=REVOCATION, case="confirmed"),
    Row("carrier_revoked", "GET", Action.REVOKE_CARRIER, "active", ok=302),
    Row("eid_revoke", "GET", Action.REVOKE_EID, "eid"),
    Row("eid_revoke", "POST", Action.REVOKE_EID, "eid", ok=422),
    Row("eid_revoke", "POST", Action.REVOKE_EID, "eid", ok=302, data=REVOCATION, case="confirmed"),
    Row("eid_revoked", "GET", Action.REVOKE_EID, "eid", ok=302),
    # activation
    Row("activate", "GET", ACTIVATE, "sent"),
    Row("activate", "POST", ACTIVATE, "sent", ok=422),
    Row("activation_sign", "GET", ACTIVATE, _transaction),
    Row("activation_sign", "POST", ACTIVATE, _transaction, ok=302),
    Row("activation_state", "GET", ACTIVATE, _transaction),
    Row("activation_done", "GET", ACTIVATE, _completed),
    Row("activation_done", "POST", ACTIVATE, _completed, ok=302),
    Row("activation_cancel", "GET", LOGGED_IN, _transaction, ok=302),  # to the second step, which decides
    Row("activation_cancel", "POST", ACTIVATE, _transaction, ok=302),
    Row("identification_help", "GET", LOGGED_IN),
    Row("terms", "GET", PUBLIC),
    # ordering
    Row("order_start", "GET", LOGGED_IN, "orderable", ok=302),  # to the person, which decides
    Row("order_start", "POST", ORDER, "orderable", ok=302),
    *_draft_rows("order_organisation", ok=422),
    *_draft_rows("order_article", ok=422),
    *_draft_rows("order_photo", _photo_draft, ok=422),
    Row("order_photo_upload", "GET", LOGGED_IN, _photo_draft, ok=302),
    Row("order_photo_upload", "POST", ORDER, _photo_draft, ok=422, compared=OF_ONES_OWN),
    *_draft_rows("order_office", ok=422),
    *_draft_rows("order_review", ok=409),
    Row("order_review", "GET", ORDER, _anothers_draft, own=True, case="a colleague's"),
    Row("order_review", "POST", ORDER, _anothers_draft, own=True, ok=409, case="a colleague's"),
    Row("order_photo_image", "GET", ORDER, _photo_draft, compared=OF_ONES_OWN),
    Row("order_logotype_image", "GET", ORDER, _draft, compared=OF_ONES_OWN),
    Row("order_abandon", "GET", LOGGED_IN, _draft, ok=302),
    Row("order_abandon", "POST", ORDER, _draft, ok=302, compared=OF_ONES_OWN),
    Row("order_restart", "GET", LOGGED_IN, _draft, ok=302),
    Row("order_restart", "POST", ORDER, _draft, ok=302, compared=OF_ONES_OWN),
    Row("photo_rules", "GET", LOGGED_IN),
    Row("order_cancel", "GET", Action.REMOVE_ORDER, "queued"),
    Row("order_cancel", "POST", Action.REMOVE_ORDER, "queued"),
    Row("order_cancel", "POST", Action.REMOVE_ORDER, "queued", ok=302, data={"bekrafta": "1"}, case="confirmed"),
    # configuration
    Row("administration", "GET", Action.VIEW_CONFIGURATION),
    Row("area_new", "GET", Action.CREATE_ORGANISATION),
    Row("area_new", "POST", Action.CREATE_ORGANISATION, ok=422),
    *(Row(name, "GET", Action.VIEW_CONFIGURATION, _area, places=AREAS) for name in ("area", "area_history")),
    Row("area_extended_searches", "GET", ASSIGN, _area, places=AREAS),
    *(
        Row(name, method, Action.CREATE_ORGANISATION, _area, ok=ok, places=AREAS)
        for name in ("area_edit", "organisation_new")
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(
        Row(name, "GET", Action.VIEW_CONFIGURATION, _organisation, places=ORGANISATIONS)
        for name in ("organisation", "organisation_history", "organisation_holders", "organisation_holders_csv")
    ),
    *(
        Row(name, method, Action.CREATE_SUB_ORGANISATION, _organisation, ok=ok, places=ORGANISATIONS)
        for name in ("sub_organisation_new",)
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(
        Row(name, method, right, _organisation, ok=ok, places=places, case=case)
        for name in ("organisation_edit", "organisation_move")
        for method, ok in (("GET", 200), ("POST", 422))
        for right, places, case in (
            (Action.CREATE_SUB_ORGANISATION, SUB_ORGANISATIONS, "below another"),
            (Action.CREATE_ORGANISATION, TOP_ORGANISATIONS, "at the top"),
        )
    ),
    *(
        Row("organisation_fee", method, Action.CREATE_ORGANISATION, _organisation, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(Row("office_new", method, Action.EDIT_OFFICE, _area, ok=ok, places=AREAS) for method, ok in (("GET", 200), ("POST", 422))),
    *(Row(name, "GET", Action.VIEW_CONFIGURATION, _office, places=ORGANISATIONS) for name in ("office", "office_history")),
    *(
        Row(name, method, right, _office, ok=ok, places=ORGANISATIONS)
        for name, right, sent in (
            ("office_edit", Action.EDIT_OFFICE, 422),
            ("office_close", Action.EDIT_OFFICE, 302),
            ("office_connect", Action.LINK_OFFICE, 422),
        )
        for method, ok in (("GET", 200), ("POST", sent))
    ),
    *(
        Row("organisation_offices", method, Action.LINK_OFFICE, _organisation, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(
        Row("organisation_receipt_text", method, Action.EDIT_RECEIPT_TEXT, _organisation, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 302))
    ),
    *(
        Row("organisation_articles", method, Action.CHOOSE_ARTICLES, _organisation, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 302))
    ),
    Row("articles", "GET", Action.VIEW_CONFIGURATION),
    *(Row(name, "GET", Action.VIEW_CONFIGURATION, _article, nowhere=True, unseen=403) for name in ("article", "article_history")),
    *(
        Row(name, method, Action.CREATE_ORGANISATION, ok=ok)
        for name in ("article_new", "customisation_new_generic")
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(
        Row("article_edit", method, Action.CREATE_ORGANISATION, _article, ok=ok, nowhere=True, unseen=403)
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    Row("customisations", "GET", Action.VIEW_CONFIGURATION),
    Row("organisation_customisation", "GET", Action.VIEW_CONFIGURATION, _organisation, places=ORGANISATIONS),
    *(
        Row("customisation_new", method, Action.CREATE_ORGANISATION, _organisation, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(
        Row(name, method, right, _customisation, ok=ok, places=ORGANISATIONS)
        for name, method, right, ok in (
            ("customisation", "GET", Action.VIEW_CONFIGURATION, 200),
            ("customisation", "POST", Action.VERIFY_CUSTOMISATION, 409),
            ("customisation_history", "GET", Action.VIEW_CONFIGURATION, 200),
            ("customisation_edit", "GET", Action.CREATE_ORGANISATION, 200),
            ("customisation_edit", "POST", Action.CREATE_ORGANISATION, 422),
        )
    ),
    *(
        Row("customisation", method, right, _generic_customisation, ok=ok, nowhere=True, case="the generic one")
        for method, right, ok in (
            ("GET", Action.VIEW_CONFIGURATION, 200),
            ("POST", Action.CREATE_ORGANISATION, 409),
        )
    ),
    # roles
    Row("organisation_roles", "GET", ASSIGN, _organisation, places=ORGANISATIONS),
    # bulk set-up: those who connect offices are those who set something up
    Row("setup_import", "GET", Action.LINK_OFFICE),
    Row("setup_import", "POST", Action.LINK_OFFICE, ok=422),
    Row("setup_template_xlsx", "GET", Action.LINK_OFFICE),
    Row("setup_template_csv", "GET", Action.LINK_OFFICE, _setup_table, nowhere=True, unseen=403),
    *(
        Row("setup_import_preview", method, Action.LINK_OFFICE, _setup_import, ok=ok, data=data, own=True, unseen=403, case=case)
        for method, ok, data, case in (
            ("GET", 200, {}, ""),
            ("POST", 409, {}, "without what was seen"),
            ("POST", 302, {"avbryt": "1"}, "given up"),
        )
    ),
    Row("area_export_xlsx", "GET", Action.VIEW_CONFIGURATION, _area, places=AREAS),
    Row("area_export_csv", "GET", Action.VIEW_CONFIGURATION, _area, more=("kontor",), places=AREAS),
    *(
        Row(name, method, ASSIGN, target, ok=ok, places=places)
        for name, target, places in (
            ("organisation_role_add", _organisation, ORGANISATIONS),
            ("area_issuer_add", _area, AREAS),
        )
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(
        Row(name, method, ASSIGN, role_things.grant, ok=ok, places=role_things.PLACES, unseen=403)
        for name in ("role_change", "role_end")
        for method, ok in (("GET", 200), ("POST", 302))
    ),
    Row("role_holders", "GET", ASSIGN),
    Row("role_rights", "GET", Action.VIEW_CONFIGURATION),
    Row("person_roles", "GET", ASSIGN, "orderable"),
    *(
        Row(name, method, ASSIGN, "orderable", ok=ok)
        for name in ("person_role_add", "qualification_add")
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    Row("qualification_withdraw", "GET", ASSIGN, role_things.qualification, ok=302),
    Row("qualification_withdraw", "POST", ASSIGN, role_things.qualification, ok=302),
    # invoices: without the right nobody learns which numbers there are
    Row("invoices", "GET", Action.VIEW_INVOICE),
    Row("invoices_running", "GET", Action.VIEW_INVOICE),
    Row("invoice", "GET", Action.VIEW_INVOICE, "invoice", unseen=403),
    Row("invoice_pdf", "GET", Action.VIEW_INVOICE, "invoice", unseen=403),
    Row("invoice_xml", "GET", Action.VIEW_INVOICE, "invoice", unseen=403),
    Row("invoice_line", "GET", Action.VIEW_INVOICE, "invoice", more=(1,), unseen=403),
    Row("invoice_line_csv", "GET", Action.VIEW_INVOICE, "invoice", more=(1,), unseen=403),
    # the PKI: without the right nobody learns which CAs, certificates and matters there are
    Row("pki_authorities", "GET", Action.VIEW_PKI),
    *(
        Row(name, "GET", Action.VIEW_PKI, _authority, nowhere=True, unseen=403)
        for name in ("pki_authority", "pki_authority_pem", "pki_authority_der")
    ),
    Row("pki_keys", "GET", Action.VIEW_PKI),
    Row("pki_certificates", "GET", Action.VIEW_PKI),
    Row("pki_certificates", "POST", Action.VIEW_PKI, ok=422),
    Row("pki_certificates", "POST", Action.VIEW_PKI, ok=302, data={"text": "0177AB"}, case="a number"),
    Row("pki_certificate_hits", "GET", Action.VIEW_PKI, _certificate_search, own=True, unseen=403),
    *(
        Row(name, "GET", Action.VIEW_PKI, "certificate", unseen=403)
        for name in ("pki_certificate", "pki_certificate_pem", "pki_certificate_der")
    ),
    Row("pki_approvals", "GET", Action.VIEW_PKI),
    Row("pki_approval", "GET", Action.VIEW_PKI, _matter, nowhere=True, unseen=403),
    Row("pki_approval_decide", "GET", Action.DECIDE_PKI, _matter, nowhere=True, unseen=403),
    Row("pki_approval_decide", "POST", Action.DECIDE_PKI, _matter, ok=422, nowhere=True, unseen=403),
    Row("pki_approval_withdraw", "GET", Action.DECIDE_PKI, _matter, nowhere=True, unseen=403),
    Row("pki_approval_withdraw", "POST", Action.DECIDE_PKI, _own_matter, ok=302, nowhere=True, unseen=403),
    Row("pki_authority_state", "GET", Action.CHANGE_CA_STATE, _authority, nowhere=True, unseen=403),
    Row("pki_authority_state", "POST", Action.CHANGE_CA_STATE, _authority, ok=422, nowhere=True, unseen=403),
    Row(
        "pki_authority_state",
        "POST",
        Action.CHANGE_CA_STATE,
        _authority,
        ok=302,
        data=pki_things.STATE,
        case="another state",
        nowhere=True,
        unseen=403,
    ),
    Row("pki_approval_carry_out", "GET", Action.CHANGE_CA_STATE, pki_things.ca_matter, nowhere=True, unseen=403),
    Row("pki_approval_carry_out", "POST", Action.CHANGE_CA_STATE, pki_things.ca_matter, ok=302, nowhere=True, unseen=403),
    Row("pki_ceremonies", "GET", Action.VIEW_PKI),
    Row("pki_ceremony_propose", "GET", Action.DECIDE_PKI),
    Row("pki_ceremony_propose", "POST", Action.DECIDE_PKI, ok=422),
    *(
        Row(name, "GET", Action.VIEW_PKI, pki_things.ceremony, nowhere=True, unseen=403)
        for name in ("pki_ceremony", "pki_ceremony_protocol", "pki_ceremony_protocol_text", "pki_ceremony_file")
    ),
    *(
        Row(name, "GET", Action.VIEW_PKI, pki_things.proposal, nowhere=True, unseen=403)
        for name in ("pki_proposal", "pki_proposal_file")
    ),
    Row("pki_proposal_sign", "GET", Action.DECIDE_PKI, pki_things.proposal, nowhere=True, unseen=403),
    Row("pki_proposal_sign", "POST", Action.DECIDE_PKI, pki_things.proposal, ok=422, nowhere=True, unseen=403),
    Row("pki_proposal_withdraw", "GET", Action.DECIDE_PKI, pki_things.proposal, nowhere=True, unseen=403),
    Row("pki_proposal_withdraw", "POST", Action.DECIDE_PKI, pki_things.proposal, ok=302, nowhere=True, unseen=403),
    Row("pki_health", "GET", Action.VIEW_PKI),
    Row("pki_status", "GET", Action.VIEW_PKI),
    Row("pki_imports", "GET", Action.VIEW_PKI),
    Row("pki_import", "GET", Action.VIEW_PKI, pki_things.imported, nowhere=True, unseen=403),
    Row("pki_import_findings", "GET", Action.VIEW_PKI, pki_things.imported, more=("serial",), nowhere=True, unseen=403),
    *(
        Row("pki_import_report", "GET", Action.VIEW_PKI, pki_things.imported, more=(kind,), case=kind, nowhere=True, unseen=403)
        for kind in ("json", "txt", "sig", "pem")
    ),
    Row("pki_mass_revocations", "GET", Action.VIEW_PKI),
    Row("pki_mass_new", "GET", Action.MASS_REVOKE),
    Row("pki_mass_new", "POST", Action.MASS_REVOKE, ok=422),
    Row("pki_mass_new", "POST", Action.MASS_REVOKE, ok=302, data={"unit_ref": "none"}, case="a unit"),
    Row("pki_mass_trial", "GET", Action.MASS_REVOKE, _mass_trial, own=True, unseen=403),
    Row("pki_mass_trial", "POST", Action.MASS_REVOKE, _mass_trial, own=True, ok=422, unseen=403),
    Row("pki_mass_revocation", "GET", Action.VIEW_PKI, _mass, nowhere=True, unseen=403),
    Row("pki_mass_start", "GET", Action.MASS_REVOKE, _mass, nowhere=True, unseen=403),
    Row("pki_mass_start", "POST", Action.MASS_REVOKE, _mass, ok=302, nowhere=True, unseen=403),
    Row("pki_mass_stop", "GET", Action.MASS_REVOKE, _running_mass, nowhere=True, unseen=403),
    Row("pki_mass_stop", "POST", Action.MASS_REVOKE, _running_mass, ok=422, nowhere=True, unseen=403),
]
