"""Kinds of work. One declaration holds everything in which a kind differs: its causes, words, act, due day and right."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext_noop as _

from issuance.authz.roles import Action
from issuance.carriers.domain.carrier_states import INVALID, CarrierState
from issuance.register_care.domain import causes


class About(StrEnum):
    """The subject of each row of a kind, as which its list counts the rows."""

    CARD = "card"
    PERSON = "person"
    ORGANISATION = "organisation"
    BUNDLE = "bundle"
    ORDER = "order"


_VALID = frozenset(CarrierState) - INVALID
_WAITING = frozenset({CarrierState.SENT})


@dataclass(frozen=True)
class Act:
    """The act that removes the cause: a page (URL name) of the row's column `of`, its text, and the right that it needs."""

    page: str
    of: str
    text: str
    right: Action


@dataclass(frozen=True, kw_only=True)
class WorkKind:
    """A kind of work. URLs contain `slug`, so it is Swedish. `name` is its name in the overview, `heading` that of its list and
    `lead` the sentence below.

    `about` is the subject of a row. `causes` selects the causes (`domain.causes`). `days` is the time from the night in which a
    cause was found to its due day, where the cause has no due day of its own. `acts` are the acts of which a row offers the first
    whose column it has. `cause` says what is wrong, with the row's facts; empty where the heading says it. `revokes` means that
    the card is revoked after the due day. `reminds` means that the holder can get a reminder. `on_day` means that Dagen counts
    its rows, unless it has a line of its own about the same. `card_states` are the states of its card in which the cause of a row
    about a card may stand: in any other state the row only waits for the next comparison, which ends it.
    """

    code: str
    slug: str
    name: str
    heading: str
    lead: str
    causes: str
    about: About = About.CARD
    days: int
    acts: tuple[Act, ...]
    cause: str = ""
    revokes: bool = False
    reminds: bool = False
    on_day: bool = True
    card_states: frozenset[CarrierState] = _VALID

    def is_settled(self, card_state: str | None) -> bool:
        """Returns whether a row about a card in this state has lost its cause. False without a card."""
        return self.about is About.CARD and card_state is not None and card_state not in self.card_states

    @property
    def has_office(self) -> bool:
        """True if each row has an office: that of the card, its order or its bundle."""
        return self.about in (About.CARD, About.ORDER, About.BUNDLE)


_PERSON = Act("person", "person_id", _("Visa personen"), Action.VIEW)

NOT_ACTIVATED = WorkKind(
    code="not_activated",
    slug="ej-aktiverade-kort",
    name=_("Kort som har väntat länge"),
    heading=_("Skickade kort som har väntat länge på aktivering"),
    lead=_(
        "Påminn innehavarna. Ett kort som inte aktiveras i tid spärras natten efter den sista dagen. Dagen räknar alla skickade "
        "kort, listan här bara dem som har väntat länge."
    ),
    causes=causes.NOT_ACTIVATED,
    card_states=_WAITING,
    days=0,
    acts=(Act("activate", "carrier_id", _("Aktivera kort"), Action.ACTIVATE_ORDINARY_CARD),),
    revokes=True,
    reminds=True,
    on_day=False,
)

NOT_SIGNED = WorkKind(
    code="not_signed",
    slug="kort-utan-underskrift",
    name=_("Kort utan underskrift"),
    heading=_("Kort vars kvittens inte är underskriven"),
    lead=_("Innehavarna har valt kod men inte skrivit under kvittensen. Kortet spärras natten efter den sista dagen."),
    causes=causes.NOT_SIGNED,
    card_states=frozenset({CarrierState.ACTIVATED_UNSIGNED}),
    days=0,
    acts=(Act("activate", "carrier_id", _("Fortsätt aktivera"), Action.ACTIVATE_ORDINARY_CARD),),
    revokes=True,
    on_day=False,
)

ENDED = WorkKind(
    code="ended",
    slug="avslutade-personer",
    name=_("Avslutade personer med giltigt kort"),
    heading=_("Personer utan uppdrag som har ett giltigt kort"),
    lead=_(
        "HSA-katalogen har inget uppdrag för personen hos kortets organisation. "
        "Fråga chefen. Har personen slutat ska kortet spärras."
    ),
    causes=causes.ENDED,
    days=14,
    acts=(Act("carrier_revoke", "carrier_id", _("Spärra kort"), Action.REVOKE_CARRIER),),
)

DECEASED = WorkKind(
    code="deceased",
    slug="avlidna",
    name=_("Avlidna med giltigt kort"),
    heading=_("Avlidna personer som har ett giltigt kort"),
    lead=_("Personregistret säger att personen är avliden. Spärra kortet."),
    causes=causes.DECEASED,
    days=0,
    acts=(Act("carrier_revoke", "carrier_id", _("Spärra kort"), Action.REVOKE_CARRIER),),
)

NEWLY_PROTECTED = WorkKind(
    code="newly_protected",
    slug="nya-skyddade-personer",
    name=_("Nya skyddade personuppgifter"),
    heading=_("Personer som nyss fick skyddade personuppgifter"),
    lead=_("Gå igenom personens kort, e-post och bokade besök. Använd tjänste-id i stället för namn."),
    causes=causes.NEWLY_PROTECTED,
    about=About.PERSON,
    days=7,
    acts=(_PERSON,),
)

RENAMED = WorkKind(
    code="renamed",
    slug="kort-med-tidigare-namn",
    name=_("Kort med ett tidigare namn"),
    heading=_("Kort där innehavaren har bytt namn"),
    lead=_("Personen har bytt namn sedan kortet beställdes. Kortet fungerar, men ska bytas mot ett med det nya namnet."),
    causes=causes.RENAMED,
    days=30,
    acts=(_PERSON,),
)

NAME_DIFFERS = WorkKind(
    code="name_differs",
    slug="namn-som-skiljer-sig",
    name=_("Namn som skiljer sig"),
    heading=_("Personer med olika namn i HSA-katalogen och personregistret"),
    lead=_("Namnet på kortet kommer från personregistret. Be er HSA-administratör att rätta namnet i katalogen."),
    causes=causes.NAME_DIFFERS,
    about=About.PERSON,
    days=30,
    acts=(_PERSON,),
)

RENAMED_ORGANISATION = WorkKind(
    code="renamed_organisation",
    slug="organisationer-med-nytt-namn",
    name=_("Organisationer med nytt namn"),
    heading=_("Organisationer som heter något annat i HSA-katalogen"),
    lead=_("Namnet skrivs i nya certifikat och ska vara det som står i HSA-katalogen. SITHS-förvaltningen ändrar det."),
    causes=causes.RENAMED_ORGANISATION,
    about=About.ORGANISATION,
    days=30,
    acts=(Act("organisation_edit", "organisation_id", _("Redigera organisationen"), Action.CREATE_ORGANISATION),),
    cause=_("I katalogen: {name}"),
)

STALE_STOCK = WorkKind(
    code="stale_stock",
    slug="lager-att-se-over",
    name=_("Lager att se över"),
    heading=_("Reservkort i lager att se över"),
    lead=_("Korten går snart ut, saknas, eller är skickade och inte mottagna."),
    causes=causes.STALE_STOCK,
    about=About.BUNDLE,
    days=7,
    acts=(
        Act("office_stock", "office_id", _("Visa lagret"), Action.KEEP_STOCK),
        Act("bundle", "order_id", _("Visa bunten"), Action.ORDER_RESERVE_BUNDLE),
    ),
    cause=_("Går snart ut: {ending}. Saknas: {missing}. Inte mottagna: {awaited}."),
)

SILENT_ORDER = WorkKind(
    code="silent_order",
    slug="bestallningar-utan-besked",
    name=_("Beställningar utan besked"),
    heading=_("Beställningar som kortleverantören inte har hört av sig om"),
    lead=_("Fråga kortleverantören. Behövs kortet inte längre tar du bort beställningen eller spärrar kortet."),
    causes=causes.SILENT_ORDER,
    about=About.ORDER,
    days=3,
    acts=(_PERSON, Act("bundle", "order_id", _("Visa bunten"), Action.ORDER_RESERVE_BUNDLE)),
    cause=_("Senaste besked {day}"),
)

NOT_REMINDED = WorkKind(
    code="not_reminded",
    slug="innehavare-att-kontakta",
    name=_("Innehavare att kontakta"),
    heading=_("Innehavare som inte kan få påminnelser"),
    lead=_("Kortet är skickat och inte aktiverat, och innehavaren har ingen e-postadress som fungerar. Ring eller skriv."),
    causes=causes.NOT_REMINDED,
    card_states=_WAITING,
    days=0,
    acts=(_PERSON,),
    revokes=True,
)

CHIEF_UNTOLD = WorkKind(
    code="chief_untold",
    slug="chefer-att-paminna",
    name=_("Chefer att påminna"),
    heading=_("Kort som väntar, där chefen ska påminnas"),
    lead=_("Portalen har inga adresser till chefer. Be chefen påminna innehavaren om kortet, och avsluta sedan raden."),
    causes=causes.CHIEF_UNTOLD,
    card_states=_WAITING,
    days=7,
    acts=(_PERSON,),
    cause=_("{days} dagar sedan kortet skickades"),
    on_day=False,
)

EID_NOT_TOLD = WorkKind(
    code="eid_not_told",
    slug="nya-siths-eid-att-beratta-om",
    name=_("Nya SITHS eID att berätta om"),
    heading=_("Nya SITHS eID vars innehavare inte har fått e-post"),
    lead=_(
        "Innehavaren ska få veta att ett nytt SITHS eID finns, men portalen kan inte skicka e-post. "
        "Ring eller skriv, och avsluta sedan raden."
    ),
    causes=causes.EID_NOT_TOLD,
    days=3,
    acts=(_PERSON,),
    cause=_("Nytt sedan {day}"),
)

UNLOCKING_NOT_TOLD = WorkKind(
    code="unlocking_not_told",
    slug="upplasta-kort-att-beratta-om",
    name=_("Upplåsta kort att berätta om"),
    heading=_("Kort som låses upp på Mina sidor, vars innehavare inte har fått e-post"),
    lead=_(
        "Någon har skrivit under med innehavarens andra kort för att låsa upp det här, men portalen kan inte skicka e-post. "
        "Ring eller skriv och fråga om det var innehavaren, och avsluta sedan raden."
    ),
    causes=causes.UNLOCKING_NOT_TOLD,
    card_states=frozenset({CarrierState.ACTIVE}),
    days=3,
    acts=(_PERSON,),
    cause=_("Underskrivet {day}"),
)

EID_NOT_REMINDED = WorkKind(
    code="eid_not_reminded",
    slug="siths-eid-att-paminna-om",
    name=_("SITHS eID att påminna om"),
    heading=_("SITHS eID som slutar gälla, vars innehavare inte har fått e-post"),
    lead=_(
        "Ett SITHS eID slutar snart gälla, men portalen kan inte skicka e-post till innehavaren. "
        "Ring eller skriv, och avsluta sedan raden."
    ),
    causes=causes.EID_NOT_REMINDED,
    days=0,
    acts=(_PERSON,),
)

KINDS = (
    DECEASED, ENDED, NOT_SIGNED, NOT_ACTIVATED, NOT_REMINDED, CHIEF_UNTOLD, EID_NOT_TOLD, UNLOCKING_NOT_TOLD, EID_NOT_REMINDED,
    NEWLY_PROTECTED, RENAMED, NAME_DIFFERS, SILENT_ORDER, STALE_STOCK, RENAMED_ORGANISATION,
)  # fmt: skip
"""Every kind, in the order of the overview."""


def all_kinds() -> Iterator[WorkKind]:
    """Yields every kind."""
    yield from KINDS


def kind_of(code: str) -> WorkKind:
    """Returns the kind with this code. Raises KeyError if there is none."""
    return _BY_CODE[code]


def of_slug(slug: str) -> WorkKind | None:
    """Returns the kind whose URLs contain `slug`, or None."""
    return next((kind for kind in KINDS if kind.slug == slug), None)


_BY_CODE = {kind.code: kind for kind in KINDS}
