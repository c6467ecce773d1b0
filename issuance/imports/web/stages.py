"""The stages of an import, as its pages show them."""

from collections.abc import Mapping

from django.utils.translation import gettext as _


def stages(current: int, *, stopped: bool = False) -> list[dict[str, str]]:
    """Returns the stages of an import for `components/track.html`; after the last one, `current` is beyond them."""
    names = (_("Välj fil"), _("Granska raderna"), _("Läs in"))
    now = "stop" if stopped else "now"
    return [
        {"text": name, "state": "done" if number < current else now if number == current else "later"}
        for number, name in enumerate(names, 1)
    ]


def figures(counts: Mapping[str, int], words: Mapping[str, str]) -> list[dict[str, object]]:
    """Returns the counts that are not zero, for `components/figures.html`, by the order and the names of `words`."""
    return [{"name": text, "value": counts[key]} for key, text in words.items() if counts.get(key)]
