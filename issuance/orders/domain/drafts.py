"""Questions of an order and states of a draft (rules/issuance 3.1)."""

from collections.abc import Collection
from enum import StrEnum


class DraftState(StrEnum):
    """The state of a draft. Only an open one accepts answers; an abandoned one can be reopened."""

    OPEN = "open"
    SUBMITTED = "submitted"
    ABANDONED = "abandoned"


class Step(StrEnum):
    """The questions of an order, as its page asks them, and the order itself. Each value is the field's name in the form.
    REPLACEMENT is asked only for a card that replaces another one.
    """

    REPLACEMENT = "replacement_reason"
    ORGANISATION = "post"
    ARTICLE = "article"
    PHOTO = "photo"
    OFFICE = "office"
    REVIEW = "order"


def steps(*, photo: bool | None, replaces: bool = False) -> tuple[Step, ...]:
    """Returns the questions of an order. `photo` is False if the article has no photo, None if that is not known yet. `replaces`
    means that the card replaces another one.
    """
    left_out = {Step.PHOTO: photo is False, Step.REPLACEMENT: not replaces}
    return tuple(step for step in Step if not left_out.get(step))


def first_unanswered(answered: Collection[Step], *, photo: bool | None, replaces: bool = False) -> Step:
    """Returns the first question without a valid answer, or REVIEW if none is missing."""
    questions = steps(photo=photo, replaces=replaces)
    return next(step for step in questions if step is Step.REVIEW or step not in answered)
