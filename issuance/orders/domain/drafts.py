"""Questions of an order and states of a draft (rules/issuance 3.1)."""

from collections.abc import Collection
from enum import StrEnum


class DraftState(StrEnum):
    """The state of a draft. Only an open one accepts answers; an abandoned one can be reopened."""

    OPEN = "open"
    SUBMITTED = "submitted"
    ABANDONED = "abandoned"


class Step(StrEnum):
    """The questions of an order, as its page asks them, and the order itself. Each value is the field's name in the form."""

    ORGANISATION = "post"
    ARTICLE = "article"
    PHOTO = "photo"
    OFFICE = "office"
    REVIEW = "order"


def steps(*, photo: bool | None) -> tuple[Step, ...]:
    """Returns the questions of an order. `photo` is False if the article has no photo, None if that is not known yet."""
    return tuple(step for step in Step if step is not Step.PHOTO or photo is not False)


def first_unanswered(answered: Collection[Step], *, photo: bool | None) -> Step:
    """Returns the first question without a valid answer, or REVIEW if none is missing."""
    return next(step for step in steps(photo=photo) if step is Step.REVIEW or step not in answered)
