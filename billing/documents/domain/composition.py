"""Makes invoice lines of summed ledger entries, with the order and texts of rules/billing 2.1, for drafts and previews."""

from collections.abc import Sequence

from billing.documents.domain.invoices import Buyer, InvoiceContent, LineContent, Seller, total
from billing.ledger.domain import line_kinds
from billing.ledger.domain.grouping import Group, Labels
from billing.records.domain import money
from billing.records.domain.periods import Month


def compose(*, month: Month, seller: Seller, buyer: Buyer, groups: Sequence[Group], labels: Labels) -> InvoiceContent:
    """Returns the invoice of `month` with one sorted line for each group. The order of `groups` does not matter.

    Raises KeyError if `labels` lacks the label of an office, organisation or article of the groups.
    """
    lines = []
    for position, group in enumerate(sorted(groups, key=lambda group: _order(group, labels)), start=1):
        lines.append(
            LineContent(
                position=position,
                kind=group.kind,
                office_id=group.office_id,
                organisation_id=group.organisation_id,
                article_code=group.article_code,
                text=_text(group, labels, month),
                quantity=group.quantity,
                unit_price=group.unit_price,
                vat_rate=group.vat_rate,
                net=money.to_ore(group.quantity * group.unit_price),
                period=group.period,
                grouping_key=group.key,
                description=line_kinds.of(group.kind).description(group, labels),
            )
        )
    totals = total(lines, round_to_krona=buyer.round_to_krona)
    return InvoiceContent(seller=seller, buyer=buyer, month=month, lines=tuple(lines), totals=totals)


def _order(group: Group, labels: Labels) -> tuple[object, ...]:
    kind = line_kinds.of(group.kind)
    rest = (group.article_code, group.period, group.unit_price, group.vat_rate)
    return (kind.rank, *kind.order(group, labels), kind.within, *rest, kind.code)


def _text(group: Group, labels: Labels, month: Month) -> str:
    text = line_kinds.of(group.kind).text(group, labels)
    return text if group.period == month else f"{text}, avser {group.period}"
