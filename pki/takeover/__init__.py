"""Taking over a CA from another installation or product, and exporting one (rules/pki 9).

Start in `lifecycle`, which runs an import; `manifest`, `sources` and `ca_products` read the files. Only commands and the `pki`
worker use this package. The operators' pages follow imports through `pki.operators.imports`.
"""
