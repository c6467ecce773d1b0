"""What an invoice line is in words: the article's name, and the office whose orders it sums. Frozen texts stay beside them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from billing import ports
from billing.documents.domain.invoices import LineContent
from siths_portal.lib import ports as connected


@dataclass(frozen=True)
class LineWords:
    """The present names of articles by code and of offices by id."""

    articles: Mapping[str, str]
    offices: Mapping[UUID, str]

    def title(self, line: LineContent) -> str:
        """Returns what was bought: the frozen description, else the article's name for an office's line, else the line's text."""
        if line.description:
            return line.description
        return self.articles.get(line.article_code, line.text) if line.office_id else line.text

    def detail(self, line: LineContent) -> str:
        """Returns the article's number, with the frozen text of the line if the title does not show it."""
        return _("Artikel {text}").format(text=line.text if line.office_id else line.article_code)

    def place(self, line: LineContent) -> str:
        """Returns the heading of the line's group: its office, or what lines without an office sum."""
        if line.office_id:
            return self.offices.get(line.office_id) or line.text.partition(", ")[2] or line.declaration.name
        if line.declaration.counts_persons:
            return _("Abonnemang, personer med giltigt SITHS eID")
        return line.declaration.name


def words_of(lines: Iterable[LineContent]) -> LineWords:
    """Returns the words of these lines. Two queries."""
    facts = connected.get(ports.IssuanceFacts)
    office_ids = {line.office_id for line in lines if line.office_id}
    if not office_ids:
        return LineWords({}, {})
    registered = _("{name}, rekommenderat brev")
    articles = {
        code: registered.format(name=view.name) if view.registered_mail else view.name for code, view in facts.articles().items()
    }
    return LineWords(articles, {key: office.name for key, office in facts.offices(office_ids).items()})
