"""Steps of the order wizard and states of a draft (rules/issuance 3.1): which step comes when, and which may be shown."""

from collections.abc import Collection
from enum import StrEnum


class DraftState(StrEnum):
    """Where a draft stands. Only an open one takes answers; an abandoned one can be opened again."""

    OPEN = "open"
    SUBMITTED = "submitted"
    ABANDONED = "abandoned"


class Step(StrEnum):
    """The wizard's steps in their order; each value is the step's part of its address."""

    ORGANISATION = "organisation"
    ARTICLE = "artikel"
    PHOTO = "foto"
    OFFICE = "kontor"
    REVIEW = "granska"


def steps(*, photo: bool | None) -> tuple[Step, ...]:
    """The steps of an order: without the photo's once it is known that the article has none."""
    return tuple(step for step in Step if step is not Step.PHOTO or photo is not False)


def next_step(step: Step, *, photo: bool | None) -> Step:
    """The step after `step`; the last has none after it and is its own."""
    return _neighbour(step, 1, photo=photo)


def previous_step(step: Step, *, photo: bool | None) -> Step | None:
    """The step before `step`, None before the first."""
    return None if step is Step.ORGANISATION else _neighbour(step, -1, photo=photo)


def first_unanswered(answered: Collection[Step], *, photo: bool | None) -> Step:
    """The first step without a holding answer: the furthest that may be shown. The review if nothing is missing."""
    return next(step for step in steps(photo=photo) if step is Step.REVIEW or step not in answered)


def may_show(step: Step, answered: Collection[Step], *, photo: bool | None) -> bool:
    """True for a step of this order that lies no further than the first unanswered one."""
    order = steps(photo=photo)
    return step in order and order.index(step) <= order.index(first_unanswered(answered, photo=photo))


def _neighbour(step: Step, distance: int, *, photo: bool | None) -> Step:
    order = list(Step)
    wanted = steps(photo=photo)
    position = order.index(step) + distance
    while 0 <= position < len(order) and order[position] not in wanted:
        position += distance
    return order[min(position, len(order) - 1)]
