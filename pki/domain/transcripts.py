"""Ceremony records, compared by structure: what the file determines, without random values and times."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

_CERTIFICATE = ("profile", "issuer", "subject", "signature_algorithm", "extensions")


def structure(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what two executions of one file must have in common: names, profiles, validity, states, attributes of keys."""
    return {
        "ceremony": content["ceremony"],
        "environment": content["environment"],
        "file_sha256": content["file_sha256"],
        "participants": content["participants"],
        "keys": {_label(key): {name: key[name] for name in ("purpose", "algorithm", "attributes")} for key in content["keys"]},
        "authorities": {f"{ca['slug']} {ca['generation']}": _authority(ca) for ca in content["authorities"]},
        "ocsp_signers": {each["ca"]: _picked(each, *_CERTIFICATE) | {"days": _days(each)} for each in content["ocsp_signers"]},
        "acts": [_picked(each, "act", "ca", "generation", "value", "justification") for each in content["acts"]],
        "crls": [_picked(each, "ca", "generation", "file", "entries") | {"seconds": _seconds(each)} for each in content["crls"]],
        "ocsp_answers": {
            f"{each['of']} {each['cert_id_hash']}": _picked(each, "ca", "status") | {"seconds": _seconds(each)}
            for each in content["ocsp_answers"]
        },
        "profiles": content["profiles"],
    }


def differences(recorded: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    """Returns the differences of two structures, one line in Swedish each."""
    return list(_differences("", recorded, made))


def _differences(place: str, recorded: Any, made: Any) -> Iterator[str]:
    if isinstance(recorded, Mapping) and isinstance(made, Mapping):
        for name in sorted({*recorded, *made}):
            where = f"{place}, {name}" if place else name
            if name not in made:
                yield f"{where}: finns i protokollet men gjordes inte"
            elif name not in recorded:
                yield f"{where}: gjordes men finns inte i protokollet"
            else:
                yield from _differences(where, recorded[name], made[name])
    elif recorded != made:
        yield f"{place}: {recorded} i protokollet, {made} i uppspelningen"


def _label(key: Mapping[str, Any]) -> str:
    """Returns the key's label without the day or month in which it was created."""
    return str(key["label"]).rpartition("/")[0]


def _authority(ca: Mapping[str, Any]) -> dict[str, Any]:
    return _picked(ca, "common_name", "state", "file", "definition_sha256", "not_after", *_CERTIFICATE)


def _picked(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names}


def _days(certificate: Mapping[str, Any]) -> int:
    return (_moment(certificate["not_after"]) - _moment(certificate["not_before"])).days


def _seconds(status: Mapping[str, Any]) -> float:
    return (_moment(status["next_update"]) - _moment(status["this_update"])).total_seconds()


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
