"""An OpenAPI file as what a page shows: operations by tag, with parameters, bodies and answers; schemas; error codes."""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from siths_portal.lib.rest.problem import MEDIA_TYPE

_BOUNDS = (("minLength", "maxLength", " characters"), ("minItems", "maxItems", " entries"), ("minimum", "maximum", ""))


@dataclass(frozen=True)
class Row:
    """A parameter, or a member of an object."""

    name: str
    where: str
    required: bool
    type: SafeString
    text: SafeString


@dataclass(frozen=True)
class Body:
    """A body in one media type. `example` is JSON text, or empty."""

    media: str
    type: SafeString
    example: str


@dataclass(frozen=True)
class Answer:
    """An answer: its status, its text, its body, its headers, and the error codes of a problem."""

    status: str
    text: SafeString
    bodies: tuple[Body, ...]
    headers: tuple[str, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """A call."""

    id: str
    method: str
    path: str
    summary: str
    text: SafeString
    parameters: tuple[Row, ...]
    bodies: tuple[Body, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Tag:
    """The operations of one subject."""

    name: str
    text: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Schema:
    """A named schema: the members of an object, or another type."""

    name: str
    text: SafeString
    rows: tuple[Row, ...]
    type: SafeString


@dataclass(frozen=True)
class Code:
    """An error code with its status, its meaning, and what to do."""

    code: str
    status: int
    meaning: SafeString
    action: SafeString


@dataclass(frozen=True)
class Page:
    """The content of a description's page."""

    title: str
    version: str
    paragraphs: tuple[SafeString, ...]
    tags: tuple[Tag, ...]
    codes: tuple[Code, ...]
    schemas: tuple[Schema, ...]


@functools.cache
def page_of(file: Path) -> Page:
    """Returns the content of the description in `file`, which is read once in a process."""
    import yaml  # here, since few processes show a description

    description = yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are safe)
    info, components = description["info"], description["components"]
    operations = [
        _operation(method, path, item, components)
        for path, methods in description["paths"].items()
        for method, item in methods.items()
    ]
    tags = {item["operationId"]: item["tags"][0] for methods in description["paths"].values() for item in methods.values()}
    return Page(
        title=info["title"],
        version=info["version"],
        paragraphs=tuple(_text(part) for part in info["description"].split("\n## ")[0].strip().split("\n\n")),
        tags=tuple(
            Tag(tag["name"], tag["description"], tuple(each for each in operations if tags[each.id] == tag["name"]))
            for tag in description["tags"]
        ),
        codes=tuple(
            Code(code, each["value"]["status"], _text(each["summary"]), _text(each["description"]))
            for code, each in sorted(components["examples"].items())
        ),
        schemas=tuple(_schema(name, schema) for name, schema in sorted(components["schemas"].items())),
    )


def _operation(method: str, path: str, item: Mapping[str, Any], components: Mapping[str, Any]) -> Operation:
    parameters = [_resolved(each, components) for each in item.get("parameters", [])]
    return Operation(
        id=item["operationId"],
        method=method.upper(),
        path=path,
        summary=item["summary"],
        text=_text(item["description"]),
        parameters=tuple(
            Row(each["name"], each["in"], each.get("required", False), _type(each["schema"]), _text(each.get("description", "")))
            for each in parameters
        ),
        bodies=_bodies(item.get("requestBody", {}).get("content", {})),
        answers=tuple(_answer(status, answer) for status, answer in sorted(item["responses"].items())),
    )


def _resolved(node: Mapping[str, Any], components: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in node:
        return node
    kind, name = node["$ref"].split("/")[-2:]
    found: Mapping[str, Any] = components[kind][name]
    return found


def _answer(status: str, answer: Mapping[str, Any]) -> Answer:
    content = answer.get("content", {})
    codes = tuple(content.get(MEDIA_TYPE, {}).get("examples", {}))
    bodies = _bodies({media: each for media, each in content.items() if media != MEDIA_TYPE})
    text = "" if codes else answer.get("description", "")
    return Answer(status, _text(text), bodies, tuple(answer.get("headers", {})), codes)


def _bodies(content: Mapping[str, Any]) -> tuple[Body, ...]:
    return tuple(
        Body(media, _type(each.get("schema", {})), _example(each.get("examples", {}))) for media, each in content.items()
    )


def _example(examples: Mapping[str, Any]) -> str:
    for each in examples.values():
        return json.dumps(each["value"], indent=2, ensure_ascii=False)
    return ""


def _schema(name: str, schema: Mapping[str, Any]) -> Schema:
    required = schema.get("required", [])
    rows = tuple(
        Row(member, "", member in required, _type(inner), _text(inner.get("description", "")))
        for member, inner in schema.get("properties", {}).items()
    )
    return Schema(name, _text(schema.get("description", "")), rows, _type({**schema, "properties": {}}))


def _type(schema: Mapping[str, Any]) -> SafeString:
    """Returns the type in words, with links to named schemas."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return format_html('<a class="ds-link" href="#schema-{}">{}</a>', name, name)
    for joined in ("allOf", "oneOf", "anyOf"):
        if joined in schema:
            return format_html_join(mark_safe(" or "), "{}", ((_type(each),) for each in schema[joined]))
    if "enum" in schema:
        return format_html_join(mark_safe(", "), "<code>{}</code>", ((_json(value),) for value in schema["enum"]))
    types = schema.get("type", "any")
    words = " or ".join(types) if isinstance(types, list) else types
    if "items" in schema:
        return format_html("list of {}{}", _type(schema["items"]), _limits(schema))
    return format_html("{}{}", words, _limits(schema))


def _limits(schema: Mapping[str, Any]) -> SafeString:
    return format_html_join("", ", {}", ((each,) for each in _limit_words(schema)))


def _limit_words(schema: Mapping[str, Any]) -> Iterator[SafeString | str]:
    if "format" in schema:
        yield str(schema["format"])
    for least, most, unit in _BOUNDS:
        if words := _range(schema.get(least), schema.get(most)):
            yield f"{words}{unit}"
    if "pattern" in schema:
        yield format_html("<code>{}</code>", schema["pattern"])
    if "default" in schema:
        yield format_html("without it <code>{}</code>", _json(schema["default"]))


def _range(least: int | None, most: int | None) -> str:
    if least is None or most is None:
        return f"at least {least}" if least is not None else f"at most {most}" if most is not None else ""
    return f"{least}–{most}" if least != most else str(most)


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> SafeString:
    """Returns a description as HTML: what stands between backticks is code, all else is text."""
    parts = text.split("`")
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", part) if place % 2 else part,) for place, part in enumerate(parts))
    )
