"""The official rules of an e-invoice, UBL 2.1 XSD and EN 16931, run in a child process."""

UBL_XSD = "UBL-XSD"
"""The id under which the XSD's findings are reported."""

EN16931 = "EN16931"
"""The id of a finding that EN 16931's rules give no id of their own."""
