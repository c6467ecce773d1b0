"""Files camt.054 for tests, as banks write them in versions 02 and 08."""

from collections.abc import Sequence
from dataclasses import dataclass

BANKGIRO = "9912346"


@dataclass(frozen=True)
class Paid:
    """A transaction: its amount, its references with the share of each, free text, and the payer."""

    amount: str
    references: Sequence[str | tuple[str, str]] = ()
    text: str = ""
    payer: str = "Region Norr"
    organisation: bool = True


def transaction(paid: Paid, version: str) -> str:
    own = f'<Amt Ccy="SEK">{paid.amount}</Amt>'
    amount = own if version == "08" else f"<AmtDtls><TxAmt>{own}</TxAmt></AmtDtls>"
    party = f"<Nm>{paid.payer}</Nm>" + ("<Id><OrgId/></Id>" if paid.organisation else "")
    debtor = f"<Dbtr><Pty>{party}</Pty></Dbtr>" if version == "08" else f"<Dbtr>{party}</Dbtr>"
    remitted = ""
    for each in paid.references:
        reference, share = each if isinstance(each, tuple) else (each, "")
        referred = f'<RfrdDocAmt><RmtdAmt Ccy="SEK">{share}</RmtdAmt></RfrdDocAmt>' if share else ""
        remitted += f"<Strd>{referred}<CdtrRefInf><Ref>{reference}</Ref></CdtrRefInf></Strd>"
    remitted += f"<Ustrd>{paid.text}</Ustrd>" if paid.text else ""
    return f"<TxDtls>{amount}<RltdPties>{debtor}</RltdPties><RmtInf>{remitted}</RmtInf></TxDtls>"


def entry(
    reference: str,
    *paid: Paid,
    total: str = "",
    version: str = "02",
    indicator: str = "CRDT",
    status: str = "BOOK",
    more: str = "",
) -> str:
    whole = total or str(sum(float(each.amount) for each in paid))
    state = f"<Cd>{status}</Cd>" if version == "08" else status
    details = "".join(transaction(each, version) for each in paid)
    return (
        f'<Ntry><Amt Ccy="SEK">{whole}</Amt><CdtDbtInd>{indicator}</CdtDbtInd>{more}<Sts>{state}</Sts>'
        f"<BookgDt><Dt>2023-05-20</Dt></BookgDt><AcctSvcrRef>{reference}</AcctSvcrRef><NtryDtls>{details}</NtryDtls></Ntry>"
    )


def file(*entries: str, version: str = "02", account: str = BANKGIRO, before: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.{version}"><BkToCstmrDbtCdtNtfctn>'
        f"<GrpHdr><MsgId>M1</MsgId></GrpHdr><Ntfctn><Id>N1</Id><Acct><Id><Othr><Id>{account}</Id></Othr></Id></Acct>"
        f"{''.join(entries)}</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>"
    ).encode()
