"""The official rules of an e-invoice, UBL 2.1 XSD and EN 16931, run in a child process."""

UBL_XSD = "UBL-XSD"
"""The id of findings of the XSD."""

EN16931 = "EN16931"
"""The id of a finding of EN 16931 without a rule id."""
