"""Every definition of a profile that this code has ever had, by hash. The token signs only by these, never by stored definitions.

A changed definition needs a new version number; then its hash is entered here. No hash is ever removed.
"""

from collections.abc import Mapping

HASHES: Mapping[str, str] = {
    "function v2": "89044e376722952561959bbe7d3d1bf647f4c6488f80e55fa3c3f35e55de9a78",
    "issuing-ca v2": "2d89881a196ca2d0b7dc9d64592fb1fd18173942f4c3022e1a9ac2c69b23f3e8",
    "letter v1": "2a764977e07e581ce6387e2c9f6cadf9af7ac7132a0237ed0074ebb31ea6cd35",
    "mobile-auth v1": "00cb6e683dda5af9ba3cd31fe6674e5f52c8a0ce49dd91e07243ea93c94e41cd",
    "mobile-sign v1": "a188bdcf732f73c2570e38c6bfdf952c2960621b56aab5b074c162a4e7b02635",
    "ocsp-signer v2": "9cf9d29dc9bd6234546f2aedd77c43d4fc6d792ba307bdb53c32c79825143dc5",
    "person-hsaid-auth v2": "d7e6fb03371497e2953f37deb2040983ccaa0d8e8f9f7983789a541e7e3f03a8",
    "person-hsaid-sign v2": "c58b86d45eb289d19139b0f13656c67b54d7d480c5cac30a4c2289e1a9d5767e",
    "person-id-auth v2": "4b611de0af75767cde0c57cd5a3785f7249df286d5fdabe78389c73ebe4a8c34",
    "person-id-sign v2": "ab78f68fec0b66f4298c907ff7dcc1033e58a18e84a684eb61ba3423b48c26de",
    "root-ca v2": "14e748a75f325daea0716f7f61fb69e2c6efaa037a50434ea5eb210a53407c5a",
    "seal v1": "2c6af1633ba59b9211c5c837aa0ed0fd9f14d216e308a7dcbb82e407fd3e1f07",
    "time-stamp v1": "fa1b1b37b0f6ce417a1ce579a78ba06fc8ecae7f9a40588f5d6c3750e5f6c239",
    "transport v1": "3ad9ba5f5c513711632723fe4e6baae516f78e60518fc202a8f43e3e3cce45b9",
    "function v1": "833623c92a2a075beca94d3f79c7c1185d29d5e551a966cc690f00f0a2518790",
    "issuing-ca v1": "f1aebff89e039a741339fbd79ee96f81c130faa35ebfb7b9c486158a0d4d6ae9",
    "ocsp-signer v1": "dccc64451859df92b5ec9647443466dfe1aa021391df6071fc2a0e4f775aa3ff",
    "person-hsaid-auth v1": "d921ab431e7b16a0a2b3504032f2eb12db20cfa9cb42184da4739c8eacd5abab",
    "person-hsaid-sign v1": "13c945c1fc5cce28720dda50f1976d905c040cbb11460973beb2b3b4860286ff",
    "person-id-auth v1": "58fe7ccd30efc7398ef2bc506342482962ae63275c828697f2cea9518b403055",
    "person-id-sign v1": "76664115362a3eb534820ecca4e4fa75db17df8d2e99246bea6bb9e210683e5c",
    "root-ca v1": "09bede05e641255bc40880a56f1e09b889466d4a7ca4ee8a1b876dbbbceb0611",
}
KNOWN = frozenset(HASHES.values())
