"""The kinds of carriers as a document: `manage.py issuance_carrier_kinds` writes `docs/carrier-kinds.md`."""

from collections.abc import Iterable, Iterator

from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.kinds import CarrierKind, CertificateSpec, all_kinds

_HEAD = """# Kinds of carriers

Made by `manage.py issuance_carrier_kinds` from `issuance/carriers/domain/kinds.py`. Edit the declarations, not this file.
"""


def document() -> str:
    """Returns the document as Markdown, with a state diagram for each kind."""
    return "\n".join([_HEAD, *(line for kind in all_kinds() for line in _kind(kind))])


def _kind(kind: CarrierKind) -> Iterator[str]:
    yield f"## `{kind.code}`: {kind.type}, {kind.name.lower()}"
    yield ""
    yield f"- Ordered by articles of kind: {_listed(kind.article_kinds) or 'none'}"
    yield f"- Assurance levels: {_listed(str(level) for level in kind.assurance_levels)}"
    yield f"- Validity: carrier by `{kind.carrier_years}`, eID by `{kind.eid_years}`"
    yield f"- Without a holder in: {_listed(kind.unbound) or 'no state'}"
    yield f"- Activation needs: {_listed(kind.activation) or 'nothing'}"
    yield f"- Certificates on hold until the code is set: {'yes' if kind.held_until_code else 'no'}"
    yield f"- Counts for the subscription: {'yes' if kind.subscribed else 'no'}"
    if kind.generic_look:
        yield "- Look: generic, without photo"
    if kind.for_test_persons:
        yield "- Ordered only for booked test persons, where `TEST_PERSONS_FILE` names them"
    yield ""
    yield "| certificate profile | belongs to | issued at | CA by level |"
    yield "|---|---|---|---|"
    yield from (f"| `{each.profile}` | {each.owner} | {each.stage} | {_cas(each)} |" for each in kind.certificates)
    yield ""
    if kind.functions:
        yield "| function | right | in states |"
        yield "|---|---|---|"
        for function, rule in kind.functions.items():
            yield f"| {function}: {rule.label} | `{rule.right}` | {_listed(rule.states) or 'before there is a carrier'} |"
        yield ""
    if kind.eid_orders:
        yield "| eID order, fetched by the holder | right | carrier in | replaces an eID |"
        yield "|---|---|---|---|"
        for code, order in kind.eid_orders.items():
            yield f"| {code}: {order.name} | `{order.right}` | {_listed(order.states)} | {'yes' if order.replaces else 'no'} |"
        yield ""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield from (f"    {before} --> {after}: {action}" for (before, action), after in kind.transitions.items())
    yield "```"
    yield ""


def _cas(certificate: CertificateSpec) -> str:
    return ", ".join(f"{level}: `{ca}`" for level, ca in certificate.cas.items())


def _listed(values: Iterable[str]) -> str:
    order = {state.value: number for number, state in enumerate(CarrierState)}
    return ", ".join(sorted((str(value) for value in values), key=lambda value: (order.get(value, 99), value)))
