"""Refuses values that a table cannot hold before they are written, with a sentence for the user."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from siths_portal.lib.errors import Invalid

_MAY_BE_MISSING = {"blank", "null"}


def require_fit(row: models.Model, labels: Mapping[str, str]) -> None:
    """Checks that every field of `row` with a label can be stored. Missing values pass; the code that needs them checks them.

    Raises Invalid with a sentence for each field that is too long, out of range or of another type.
    """
    others = {field.name for field in row._meta.concrete_fields} - labels.keys()
    try:
        row.clean_fields(exclude=others)
    except ValidationError as error:
        wrong = {
            name: [_sentence(row, labels[name], name, each) for each in errors if each.code not in _MAY_BE_MISSING]
            for name, errors in error.error_dict.items()
        }
        if fields := {name: sentences for name, sentences in wrong.items() if sentences}:
            message = " ".join(sentence for sentences in fields.values() for sentence in sentences)
            raise Invalid("value-does-not-fit", message, fields=fields) from error


def _sentence(row: models.Model, label: str, name: str, error: ValidationError) -> str:
    field: models.Field[Any, Any] = row._meta.get_field(name)  # type: ignore[assignment]
    if error.code == "max_length":
        return f"{label} får ha högst {field.max_length} tecken."
    if isinstance(field, models.DecimalField):
        whole = (field.max_digits or 0) - (field.decimal_places or 0)
        return f"{label} får ha högst {whole} siffror före och {field.decimal_places} efter decimalkommat."
    return f"{label} har ett värde som inte går att använda."
