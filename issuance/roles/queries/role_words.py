"""Labels of rights. The table of rights is derived from the policy's permission matrix (rules/issuance 1.2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.authz import Action, Role
from issuance.authz.role_names import ROLE
from issuance.authz.roles import ALLOWED, AREA_ROLES, GLOBAL_ROLES, QUALIFIED_ROLES
from issuance.records.domain import wording

GROUPS: Mapping[str, Mapping[Action, str]] = {
    _("Se"): {
        Action.VIEW: _("Söka efter personer och se deras kort och certifikat"),
        Action.EXTENDED_SEARCH: _("Söka med utökat sökomfång, med skäl"),
        Action.VIEW_HISTORY: _("Se historik"),
        Action.VIEW_ACCESS_LOG: _("Se vem som har tittat på en persons uppgifter"),
        Action.VIEW_RECEIPT: _("Visa elektronisk kvittens"),
        Action.VIEW_PHOTO: _("Se foto"),
        Action.VIEW_INVOICE: _("Se fakturor"),
        Action.VIEW_CONFIGURATION: _("Se utgivningsområden, organisationer och kontor"),
    },
    _("Utfärda och spärra"): {
        Action.ORDER_ORDINARY_CARD: _("Beställa ordinarie kort"),
        Action.ORDER_RESERVE_BUNDLE: _("Beställa buntar med reservkort"),
        Action.KEEP_STOCK: _("Ta emot och räkna lagret av reservkort"),
        Action.KEEP_REGISTER: _("Sköta Registervård"),
        Action.ISSUE_RESERVE_CARD: _("Lämna ut och aktivera reservkort"),
        Action.ISSUE_RESERVE_CARD_LOA3: _("Lämna ut reservkort på tillitsnivå 3, som första person"),
        Action.APPROVE_RESERVE_CARD: _("Godkänna reservkort på tillitsnivå 3, som andra person"),
        Action.REMOVE_ORDER: _("Ta bort beställning"),
        Action.ORDER_EID: _("Beställa extra SITHS eID och uppdatering av SITHS eID"),
        Action.WITHDRAW_EID_ORDER: _("Ta bort beställning av SITHS eID"),
        Action.ORDER_PUK_LETTER: _("Beställa brev med upplåsningskod (PUK)"),
        Action.WITHDRAW_IDENTIFICATION: _("Ta tillbaka en egen identifiering"),
        Action.WITHDRAW_ANOTHERS_IDENTIFICATION: _("Ta tillbaka andras identifieringar"),
        Action.REPORT_DOCUMENT: _("Rapportera en misstänkt falsk id-handling"),
        Action.JUDGE_DOCUMENT: _("Bedöma misstänkta id-handlingar"),
        Action.ACTIVATE_ORDINARY_CARD: _("Aktivera kort"),
        Action.UNLOCK_CARD: _("Låsa upp kort vid besök"),
        Action.REVOKE_CARRIER: _("Spärra kort"),
        Action.REVOKE_EID: _("Spärra SITHS eID"),
    },
    _("Administrera"): {
        Action.ASSIGN_ROLE: _("Ge behörighetsroller under den egna nivån"),
        Action.ASSIGN_GLOBAL_ROLE: _("Begära globala roller, och godkänna det en annan har begärt"),
        Action.LINK_OFFICE: _("Koppla kontor"),
        Action.EDIT_OFFICE: _("Skapa och ändra kontor"),
        Action.CREATE_SUB_ORGANISATION: _("Skapa underorganisation"),
        Action.EDIT_RECEIPT_TEXT: _("Redigera kvittenstext"),
        Action.CHOOSE_ARTICLES: _("Välja beställningsbara artiklar"),
        Action.VERIFY_CUSTOMISATION: _("Verifiera kortanpassning"),
        Action.CORRECT_INVOICE_SERIES: _("Rätta datumordningen i fakturornas nummerserie, två personer tillsammans"),
        Action.MANAGE_BILLING: _("Sköta kunder, priser, månadskörning, krediteringar och betalningar"),
        Action.CONFIRM_CUSTOMER: _("Bekräfta organisationens kunduppgifter för fakturering"),
        Action.CREATE_ORGANISATION: _("Skapa och ändra utgivningsområde och organisation"),
        Action.REGISTER_MIGRATED_CARD: _("Läsa in kort från den tidigare portalen"),
        Action.END_SESSION: _("Se vilka som är inloggade och avsluta deras inloggningar"),
    },
    _("Certifikatutfärdare"): {
        Action.VIEW_PKI: _("Se certifikatutfärdare, nycklar och driftläge"),
        Action.OPERATE_SUPPLIERS: _("Följa kortleverantörer, pausa dem och skicka stoppade leveranser igen"),
        Action.DECIDE_PKI: _("Godkänna ärenden, aldrig sina egna"),
        Action.CHANGE_CA_STATE: _("Begära att en utfärdare byter tillstånd"),
        Action.MASS_REVOKE: _("Begära masspärr"),
    },
}
"""All rights of all roles, in the order of the table's rows."""

ASSIGNED_TO = {
    **dict.fromkeys(GLOBAL_ROLES, _("Hela portalen")),
    **dict.fromkeys(AREA_ROLES, _("Ett utgivningsområde")),
}


@dataclass(frozen=True)
class RightLine:
    """A right, and for each role of the table whether it has it."""

    text: str
    cells: tuple[bool, ...]


@dataclass(frozen=True)
class RightGroup:
    """A group of rights."""

    text: str
    lines: tuple[RightLine, ...]


@dataclass(frozen=True)
class RoleHead:
    """A role as a column: its name, where it can be given, and whether its holder needs training and a person check."""

    text: str
    reach: str
    qualified: bool


@dataclass(frozen=True)
class RightTable:
    """The table on the page "Vad får rollen göra?". Columns are roles, from the widest to the narrowest."""

    roles: tuple[RoleHead, ...]
    groups: tuple[RightGroup, ...]


def name(role: str) -> str:
    """Returns the label of a role."""
    return wording.label(ROLE, role)


def administration() -> str:
    """Returns what a person with all three roles of the administration is called."""
    return wording.label(ROLE, "system_admin")  # the code of the role that they replaced


def needs_training(roles: Iterable[Role]) -> bool:
    """Returns True if any of these roles needs training and person check (ADR 0187)."""
    return bool(set(roles) & QUALIFIED_ROLES)


def _breakable(text: str) -> str:
    """Returns the name with soft hyphens for narrow columns."""
    for whole, parts in (("Förvaltningsadmin", "Förvaltnings\u00adadmin"), ("Reservkortshand", "Reservkorts\u00adhand")):
        text = text.replace(whole, parts)
    return text


def table(roles: Iterable[Role]) -> RightTable:
    """Returns the table of rights of these roles, without rights that none of them has."""
    shown = [role for role in Role if role in set(roles)]
    groups = []
    for text, actions in GROUPS.items():
        lines = [
            RightLine(gettext(label), tuple(action in ALLOWED[role] for role in shown))
            for action, label in actions.items()
            if any(action in ALLOWED[role] for role in shown)
        ]
        if lines:
            groups.append(RightGroup(gettext(text), tuple(lines)))
    heads = tuple(
        RoleHead(_breakable(name(role.value)), gettext(ASSIGNED_TO.get(role, _("Valda organisationer"))), role in QUALIFIED_ROLES)
        for role in shown
    )
    return RightTable(heads, tuple(groups))
