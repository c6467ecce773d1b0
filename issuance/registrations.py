"""Registrations of packages of issuance with packages below them, so that imports between services only point down (ADR 0337).

Registries are filled only here. Entries are called in the order in which they are listed here.
"""

from issuance.activation.domain import own_unlocking
from issuance.activation.event_words import WORDS as ACTIVATION
from issuance.activation.services import completing, fetch_app, receipt_content, statements, suspicions, transactions, visits
from issuance.activation.services.statements import Purpose
from issuance.articles.event_words import WORDS as ARTICLES
from issuance.articles.services import articles, fees
from issuance.carriers import services as carriers
from issuance.carriers.event_words import WORDS as CARRIERS
from issuance.customisations.event_words import WORDS as CUSTOMISATIONS
from issuance.customisations.services import customisations, removal
from issuance.housekeeping.event_words import WORDS as HOUSEKEEPING
from issuance.imports.event_words import WORDS as IMPORTS
from issuance.minasidor.queries import own_carriers, todo
from issuance.minasidor.services import testing, unlocking
from issuance.mobile.event_words import WORDS as MOBILE
from issuance.mobile.services import ending as mobile_ending
from issuance.notices.event_words import WORDS as NOTICES
from issuance.offices import services as offices
from issuance.offices.event_words import WORDS as OFFICES
from issuance.orders.event_words import WORDS as ORDERS
from issuance.orders.services import drafts, eid_orders, queueing, uses, withdrawing
from issuance.organisations.event_words import WORDS as ORGANISATIONS
from issuance.organisations.services import ending, following, organisations
from issuance.organisations.services.ending import Hindrance
from issuance.people.event_words import WORDS as PEOPLE
from issuance.people.services import directory_import_apply
from issuance.people.services.directory_import_apply import LostPosts
from issuance.receipt_texts.event_words import WORDS as RECEIPT_TEXTS
from issuance.records.domain.event_words import WORDS
from issuance.register_care.event_words import WORDS as REGISTER_CARE
from issuance.reserve_cards.event_words import WORDS as RESERVE_CARDS
from issuance.reserve_cards.queries import signers
from issuance.reserve_cards.services import approving, handing_out
from issuance.revocation.event_words import WORDS as REVOCATION
from issuance.revocation.services import abandoned, renewing, replacing, revocation, revocation_limit
from issuance.roles.event_words import WORDS as ROLES
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import ended_roles
from issuance.roles.services.actors import current
from issuance.roles.services.ended_roles import UnderWay
from issuance.stock.event_words import WORDS as STOCK
from issuance.stock.services import cards as stock
from issuance.suppliers.event_words import WORDS as SUPPLIERS
from issuance.suppliers.push.services import outbox
from issuance.suppliers.services import changes


def register_all() -> None:
    """Fills the registries. Raises ValueError when called twice."""
    _of_events()
    _of_organisations()
    _of_people()
    articles.USES.register(uses.have_article, carriers.have_article)
    customisations.ON_CHANGE.register(changes.record_customisation_change)
    customisations.ON_FIRST_SUPPLIER.register(uses.give_first_supplier)
    queueing.ON_QUEUE.register(outbox.add_order)
    withdrawing.ON_WITHDRAWAL.register(changes.record_withdrawal)
    revocation.ON_REVOCATION_IN_PRODUCTION.register(changes.record_revocation, stock.end_with_carriers)
    removal.WAITING_FOR_VERIFICATION.register(uses.wait_for_verification)
    receipt_content.HAND_OUTS.register(signers.signers)
    visits.REFUSALS.register(revocation_limit.activation_obstacle, suspicions.obstacle)
    statements.PURPOSES.register(
        Purpose(handing_out.PURPOSE, handing_out.require_first, handing_out.first_signed),
        Purpose(approving.PURPOSE, approving.require_second, approving.second_signed),
        Purpose(own_unlocking.PURPOSE, unlocking.require_signer, unlocking.signed),
        Purpose(
            testing.PURPOSE,
            testing.require_signer,
            testing.signed,
            certificate=testing.certificate,
            heading="Testa ditt SITHS eID",
            sign_message="Det här är bara ett test.",
        ),
    )
    completing.ON_ACTIVATION.register(replacing.revoke_replaced)
    todo.TASKS.register(own_carriers.tasks)
    fetch_app.ON_RENEWAL.register(renewing.revoke_renewed)
    eid_orders.ON_END.register(renewing.end_unfetched)
    mobile_ending.ON_ABANDONED.register(abandoned.revoke_abandoned)


def _of_events() -> None:
    WORDS.register(
        ORGANISATIONS,
        PEOPLE,
        ROLES,
        OFFICES,
        ARTICLES,
        CUSTOMISATIONS,
        RECEIPT_TEXTS,
        CARRIERS,
        NOTICES,
        ORDERS,
        ACTIVATION,
        MOBILE,
        REVOCATION,
        STOCK,
        REGISTER_CARE,
        RESERVE_CARDS,
        SUPPLIERS,
        IMPORTS,
        HOUSEKEEPING,
    )


def _of_organisations() -> None:
    ending.HINDRANCES.register(
        Hindrance("orders", uses.orders_of_organisation),
        Hindrance("orders", uses.eid_orders_of_organisation),
        Hindrance("cards", carriers.carriers_of_organisation),
        Hindrance("cards", carriers.eids_of_organisation),
        Hindrance("roles", lambda organisation: current(RoleGrant.objects.filter(organisation=organisation))),
    )
    ending.ON_CLOSING.register(offices.disconnect_offices, customisations.answer_request)
    following.ON_LEAVING_AREA.register(offices.disconnect_offices)
    following.ON_LEAVING_TOP.register(fees.end_fee)
    organisations.ON_CREATION.register(fees.set_first_fees, articles.take_over_articles)
    organisations.GENERIC_CUSTOMISATION.register(customisations.generic_customisation)


def _of_people() -> None:
    directory_import_apply.ON_LOST_POSTS.register(LostPosts(ended_roles.with_something_under_way, ended_roles.end_of_clerk))
    ended_roles.UNDER_WAY.register(
        UnderWay(transactions.oldest_open, transactions.end_of_officer, at_once=True),
        UnderWay(drafts.oldest_open, drafts.abandon_of_officer, at_once=False),
    )
