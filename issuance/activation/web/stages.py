"""The stages of an activation, as `components/track.html` draws them."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from issuance.activation.domain.transaction_states import TransactionKind
from issuance.activation.queries.card_help import CardHelp
from issuance.activation.services.visits import TransactionView


@dataclass(frozen=True)
class Stage:
    """A stage: "done", "now", "stop" or "later"."""

    state: str
    text: str
    note: str = ""


def steps(current: int, *, is_stopped: bool = False) -> list[Stage]:
    """Returns the three steps of the clerk's page. `current` is the number of the present one, from 1, or 4 when all are done."""
    names = (_("Identifiera"), _("Underteckna"), _("Klart"))
    states = [_state(number < current, number == current) for number in range(1, len(names) + 1)]
    if is_stopped:
        states[current - 1] = "stop"
    return [Stage(state, name) for state, name in zip(states, names, strict=True)]


def signing(view: TransactionView, card_help: CardHelp | None) -> list[Stage]:
    """Returns what the holder does in the app, and how far they have come."""
    row = view.transaction
    is_found = row.started_at is not None
    is_chosen = row.code_set_at is not None or row.kind == TransactionKind.SIGN
    is_stopped = card_help is not None and card_help.needs_clerk
    uses_chosen = row.kind == TransactionKind.SIGN and not is_stopped
    return [
        Stage("done", _("Identifierad")),
        Stage(_state(is_found, True), _("Öppna appen, sätt i kortet"), _("Kortet är hittat.") if is_found else ""),
        _stopped(card_help) if card_help and is_stopped else _code(is_found=is_found, is_chosen=is_chosen),
        Stage(
            _state(False, is_found and is_chosen and not is_stopped),
            _("Skriv under med koden du redan har valt") if uses_chosen else _("Skriv under med koden"),
            _("Därmed är kortet aktiverat och klart att använda."),
        ),
    ]


def unlocking(view: TransactionView, card_help: CardHelp | None) -> list[Stage]:
    """Returns what the holder does in the app to unlock a card, and how far they have come."""
    is_found = view.transaction.started_at is not None
    found = Stage(_state(is_found, True), _("Öppna appen, sätt i kortet"), _("Kortet är hittat.") if is_found else "")
    if card_help and card_help.needs_clerk:
        return [Stage("done", _("Identifierad")), found, _stopped(card_help)]
    return [Stage("done", _("Identifierad")), found, _code(is_found=is_found, is_chosen=False)]


def _code(*, is_found: bool, is_chosen: bool) -> Stage:
    if is_chosen:
        return Stage("done", _("Legitimeringskod vald"))
    note = _("6–8 siffror. Koden skrivs bara i appen, aldrig i portalen.")
    return Stage(_state(False, is_found), _("Välj legitimeringskod"), note)


def _stopped(card_help: CardHelp) -> Stage:
    if card_help.is_beyond_help:
        return Stage("stop", _("Koden kan inte väljas på det här kortet"))
    return Stage("stop", _("Koden är spärrad"), _("Innehavaren kan skriva under först när en ny kod är vald."))


def _state(is_done: bool, is_now: bool) -> str:
    return "done" if is_done else "now" if is_now else "later"
