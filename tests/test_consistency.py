"""What the parts say of each other by name is true: templates, jobs, schedule, and the rooms where the database is written."""

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from celery import current_app
from django import forms
from django.apps import apps
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.template import engines
from django.template.loader import get_template

from siths_portal import celery as schedule

ROOT = Path(settings.BASE_DIR)
PACKAGES = ("siths_portal", "authn", "pki", "issuance", "billing")
WRITES = {"save", "create", "update", "delete", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}


def modules(*, migrations: bool = False) -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if migrations or "migrations" not in path.parts:
                yield path


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def sources() -> dict[Path, str]:
    """The text of each module."""
    return {path: path.read_text() for path in modules()}


@cache
def trees() -> dict[Path, ast.Module]:
    """The syntax tree of each module. All of them take 200 MB, so only the process that runs these tests has them, meanwhile."""
    return {path: ast.parse(text) for path, text in sources().items()}


@pytest.fixture(scope="module", autouse=True)
def trees_go() -> Iterator[None]:
    yield
    trees.cache_clear()


TEMPLATES = sorted(str(path.relative_to(ROOT / "templates")) for path in (ROOT / "templates").rglob("*") if path.is_file())


@cache
def template_texts() -> dict[str, str]:
    """The text of each template."""
    return {template: (ROOT / "templates" / template).read_text() for template in TEMPLATES}


@pytest.fixture(scope="module")
def tasks() -> dict[str, object]:
    current_app.loader.import_default_modules()
    return dict(current_app.tasks)


@cache
def rendered() -> set[str]:
    """The quoted strings in all modules that could be names of templates."""
    return {found for text in sources().values() for _mark, found in re.findall(r"""(["'])(?=([\w./-]+)\1)""", text)}


@cache
def part_of() -> dict[str, set[str]]:
    """For each quoted name in a template, the templates that contain it."""
    places: dict[str, set[str]] = defaultdict(set)
    for template, text in template_texts().items():
        for found in re.findall(r'"(?=([\w./-]+))', text):
            places[found].add(template)
    return places


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_is_used_and_compiles(template: str) -> None:
    of_django = (Path(forms.__file__).parent / "templates" / template).is_file()  # Django's forms render it
    named = of_django or template in rendered() or bool(part_of().get(template, set()) - {template})
    assert named, f"nothing renders, extends or includes {template}"
    if template.endswith((".html", ".txt")):
        get_template(template)


def test_every_template_that_is_named_exists() -> None:
    missing = []
    for path, tree in trees().items():
        for node in ast.walk(tree):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and re.fullmatch(r"[\w/-]+\.html", value) and value not in TEMPLATES:
                missing.append(f"{name(path)}:{node.lineno} {value}")
    assert missing == []


def test_templates_hold_neither_styles_nor_scripts_of_their_own() -> None:
    """The pages' Content-Security-Policy refuses them (S17); documents that become PDF are no pages."""
    found = []
    for template, text in template_texts().items():
        if "base.html" not in text and template != "base.html":
            continue
        if re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=|javascript:", text):
            found.append(template)
    assert found == []


def test_pages_with_htmx_attributes_load_htmx() -> None:
    """Pages of the portal have it in their frame; Mina sidor loads it only where a page follows the eID app."""
    for template, text in template_texts().items():
        if " hx-" in text and '{% extends "minasidor/' in text:
            assert '{% include "minasidor/app_scripts.html" %}' in text, template


def test_no_text_for_people_has_words_that_the_style_sheet_replaced() -> None:
    """Things are created (skapa), and what has not happened has not happened yet (än)."""
    texts = template_texts() | {name(path): text for path, text in sources().items()}
    replaced = re.compile(r"\b(lägg(a|er|s|as)? upp|lagts? upp|ännu)\b", re.IGNORECASE)
    assert {where: found[0] for where, text in texts.items() if (found := replaced.search(text))} == {}


def test_no_template_turns_escaping_off() -> None:
    assert engines["django"].engine.autoescape  # type: ignore[attr-defined]
    found = [template for template, text in template_texts().items() if re.search(r"\|safe\b|autoescape off", text)]
    assert found == []


@pytest.mark.parametrize("entry", sorted(schedule.SCHEDULE))
def test_every_entry_of_the_schedule_can_run(entry: str, tasks: dict[str, object]) -> None:
    task, seconds, queue = schedule.SCHEDULE[entry]
    assert task in tasks, f"{task} is no registered task"
    inspect.signature(tasks[task].run).bind()  # type: ignore[attr-defined]
    assert 0 < seconds <= 3600, "it is counted from a start of beat, which may come each day"
    assert queue in ("default", "pki", "suppliers")


def enqueued() -> Iterator[tuple[str, str, set[str]]]:
    """Where, which job and with which arguments `enqueue` is called, constants and module-level names resolved."""
    for path, tree in trees().items():
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            called = node.func if isinstance(node, ast.Call) else None
            label = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
            if not isinstance(node, ast.Call) or label != "enqueue" or not node.args:
                continue
            first = node.args[0]
            job = first.value if isinstance(first, ast.Constant) else constants.get(getattr(first, "id", ""), "")
            yield f"{name(path)}:{node.lineno}", str(job), {str(k.arg) for k in node.keywords} - {"queue"}


def test_every_job_that_is_woken_is_a_task_that_takes_its_arguments(tasks: dict[str, object]) -> None:
    found = list(enqueued())
    assert found, "the search finds no call at all"
    for place, job, arguments in found:
        if "**" in arguments or job == "":
            pytest.fail(f"{place}: name the job and its arguments in the call, so that this test can read them")
        assert job in tasks, f"{place}: {job} is no registered task"
        inspect.signature(tasks[job].run).bind(**dict.fromkeys(arguments, "x"))  # type: ignore[attr-defined]


def test_jobs_carry_ids_only(tasks: dict[str, object]) -> None:
    """Queue arguments are readable in Redis (S21)."""
    for place, _job, arguments in enqueued():
        assert arguments <= {a for a in arguments if re.fullmatch(r"(\w+_)?ids?|app|slug|month", a)}, f"{place}: {arguments}"


def test_views_write_nothing_by_themselves() -> None:
    """The database is written by services, which know the rules, the actor and the event."""
    found = []
    for path, tree in trees().items():
        if not {"web", "api"} & set(path.relative_to(ROOT).with_suffix("").parts):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
                receiver = ast.unparse(node.func.value)
                if receiver in ("hashlib", "digest") or re.fullmatch(r"(context|headers|body|facts|data)", receiver):
                    continue
                found.append(f"{name(path)}:{node.lineno} {receiver}.{node.func.attr}()")
    assert found == []


def test_every_model_says_what_it_is() -> None:
    silent = []
    for model in apps.get_models():
        if model.__module__.split(".")[0] not in PACKAGES:
            continue
        doc = model.__doc__ or ""
        if not doc or doc.startswith(f"{model.__name__}("):
            silent.append(model._meta.label)
    assert silent == []


def test_every_command_says_which_checks_stop_it() -> None:
    """Django's default checks models, templates and URLs at each start, which `make check` does once."""
    silent = [
        command
        for command, app in get_commands().items()
        if app in PACKAGES and load_command_class(app, command).requires_system_checks == "__all__"
    ]
    assert silent == []


def test_nothing_is_left_for_later() -> None:
    mark = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    codes = re.compile(r"\s*(?:[A-Z]{3} ){5,}[A-Z]{3}")  # a row of ISO 4217, where XXX stands for no currency
    found = [
        f"{name(path)}:{i}"
        for path, text in sources().items()
        for i, line in enumerate(text.splitlines(), 1)
        if mark.search(line) and not codes.fullmatch(line)
    ]
    tests = [path for path in sorted((ROOT / "tests").rglob("*.py")) if path != Path(__file__)]
    skip = re.compile(r"pytest\.(?:mark\.)?(skip|skipif|xfail|importorskip)\b")
    found += [name(path) for path in tests if skip.search(path.read_text())]
    assert found == []


def test_the_present_is_asked_of_the_clock_alone() -> None:
    """`lib.clock` can be moved; the computer's clock cannot. Durations may be measured with time.monotonic."""
    allowed = {"siths_portal/lib/clock.py"}
    found = []
    for path, tree in trees().items():
        rooms = path.relative_to(ROOT).parts
        if name(path) in allowed or rooms[1] in ("dev", "simulators", "demo"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and re.search(
                r"(^|\.)(datetime|dt\.datetime|timezone|date|dt\.date)\.(now|utcnow|today)$|^time\.time$|^localdate$",
                ast.unparse(node.func),
            ):
                found.append(f"{name(path)}:{node.lineno} {ast.unparse(node.func)}")
    assert found == []


SECRET_HASHES = {"handle_sha256", "step_token_sha256", "token_sha256", "key_hash", "state_hash", "ticket_hash", "binding"}
"""Columns with the hash or MAC of a secret that a caller shows."""
BY_THE_WORKER = {"issuance/activation/services/unlock_check.py", "pki/secrets/letters.py"}
"""Checks of rows with each other, in a process that nobody outside can ask."""


def test_a_secret_from_outside_is_compared_in_constant_time() -> None:
    """S46. The database finds a row by the hash of at least 128 random bits, whose prefixes nobody can choose."""
    found = []
    for path, tree in trees().items():
        if name(path).split("/")[0] == "siths_portal" or name(path) in BY_THE_WORKER:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and any(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops):
                sides = (getattr(each, "attr", getattr(each, "id", "")) for each in (node.left, *node.comparators))
                found += [f"{name(path)}:{node.lineno} {side}" for side in sides if side in SECRET_HASHES]
    assert found == []
