"""An act on a carrier, and what it is expected to lead to."""

from collections.abc import Callable
from dataclasses import dataclass

from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from tests.issuance.carriers.situations import Situation


@dataclass(frozen=True)
class Expected:
    """What an act leads to: the error `code`, or an event with the name `event` and the `step` of the carrier, if it takes one.
    An act without any of them changes nothing, as a repetition; with `in_pki` it changes certificates alone.
    """

    code: str = ""
    event: str = ""
    step: CarrierAction | None = None
    in_pki: bool = False


@dataclass(frozen=True)
class Act:
    """What somebody tries on a carrier. `expect` returns None where there is nothing to try it on."""

    name: str
    attempt: Callable[[Situation], object]
    expect: Callable[[Situation], Expected | None]


NOTHING = Expected()


def refused(code: str) -> Expected:
    """The act is refused with this code."""
    return Expected(code=code)


def in_words(state: str) -> str:
    """A state as it stands in an error code."""
    return state.replace("_", "-")


def stepped(card: Situation, event: str, step: CarrierAction) -> Expected:
    """The carrier takes the step, which its kind must declare."""
    assert (CarrierState(card.carrier.state), step) in card.kind.transitions
    return Expected(event=event, step=step)
