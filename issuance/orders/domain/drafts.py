"""Steps of the order wizard and states of a draft (rules/issuance 3.1): the order of the steps, and which may be shown."""

from collections.abc import Collection
from enum import StrEnum


class DraftState(StrEnum):
    """The state of a draft. Only an open one accepts answers; an abandoned one can be reopened."""

    OPEN = "open"
    SUBMITTED = "submitted"
    ABANDONED = "abandoned"


class Step(StrEnum):
    """The wizard's steps in order. Each value is the step's part of the URL."""

    ORGANISATION = "organisation"
    ARTICLE = "artikel"
    PHOTO = "foto"
    OFFICE = "kontor"
    REVIEW = "granska"


def steps(*, photo: bool | None) -> tuple[Step, ...]:
    """Returns the steps of an order. `photo` is False if the article has no photo, None if that is not known yet."""
    return tuple(step for step in Step if step is not Step.PHOTO or photo is not False)


def next_step(step: Step, *, photo: bool | None) -> Step:
    """Returns the step after `step`. The last step returns itself."""
    return _neighbour(step, 1, photo=photo)


def previous_step(step: Step, *, photo: bool | None) -> Step | None:
    """Returns the step before `step`, or None before the first."""
    return None if step is Step.ORGANISATION else _neighbour(step, -1, photo=photo)


def first_unanswered(answered: Collection[Step], *, photo: bool | None) -> Step:
    """Returns the first step without a valid answer, which is the last step that may be shown. Returns the review if none is
    missing.
    """
    return next(step for step in steps(photo=photo) if step is Step.REVIEW or step not in answered)


def may_show(step: Step, answered: Collection[Step], *, photo: bool | None) -> bool:
    """Returns True for a step of this order that is not after the first unanswered one."""
    order = steps(photo=photo)
    return step in order and order.index(step) <= order.index(first_unanswered(answered, photo=photo))


def _neighbour(step: Step, distance: int, *, photo: bool | None) -> Step:
    order = list(Step)
    available = steps(photo=photo)
    position = order.index(step) + distance
    while 0 <= position < len(order) and order[position] not in available:
        position += distance
    return order[min(position, len(order) - 1)]
