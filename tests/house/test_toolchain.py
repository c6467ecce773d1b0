"""Installing: one apt-get call for what is missing, none for what is there, and the exact line for whoever is not root."""

import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from siths_portal.dev import house, toolchain
from siths_portal.dev.progress import HouseError, Step, run_steps
from tests.house.conftest import copy_house

Fake = Callable[[str], Path]


@pytest.fixture
def fake(folder: Path) -> Fake:
    """Puts a command into a folder for PATH that writes down how it was called."""
    commands = folder / "bin"
    commands.mkdir()
    calls = folder / "calls"
    calls.touch()
    calls.chmod(0o666)

    def plant(name: str) -> Path:
        script = commands / name
        script.write_text(f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >>{calls}\nprintf "%s\\n" "$DEBIAN_FRONTEND" >>{calls}.env\n')
        script.chmod(0o755)
        return calls

    return plant


@pytest.fixture
def empty_dpkg(folder: Path) -> Path:
    """The state folder of a machine on which nothing is installed (dpkg(1), DPKG_ADMINDIR)."""
    state = folder / "dpkg"
    (state / "info").mkdir(parents=True)
    (state / "updates").mkdir()
    (state / "status").touch()
    return state


def listed() -> list[str]:
    lines = toolchain.PACKAGE_LIST.read_text().splitlines()
    return [line.split()[0] for line in lines if line and not line.startswith("#")]


def without_node(path: Path) -> str:
    """A PATH of plain links to what the shell script needs, so that node and npm are missing."""
    tools = path / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("sh", "env", "dirname", "date", "id", "dpkg-query", "cat", "runuser", "mkdir", "tail", "printf", "test"):
        found = shutil.which(name)
        if found and not (tools / name).exists():
            (tools / name).symlink_to(found)
    return str(tools)


def as_nobody(*command: str) -> list[str]:
    return ["runuser", "-u", "nobody", "--", *command] if os.geteuid() == 0 else list(command)


def bootstrap(clone: Path, path: str, dpkg: Path) -> subprocess.CompletedProcess[str]:
    command = as_nobody("env", "-i", f"PATH={path}", f"DPKG_ADMINDIR={dpkg}", "/bin/sh", "siths_portal/dev/bootstrap.sh", "run")
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)


@pytest.fixture
def clone(folder: Path) -> Path:
    """A clone that belongs to a user who is not root."""
    root = copy_house(folder / "clone")
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in [root, *root.rglob("*")]:
            os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    return root


def test_without_root_the_exact_line_is_printed_and_nothing_is_installed(
    folder: Path, clone: Path, fake: Fake, empty_dpkg: Path
) -> None:
    calls = fake("apt-get")
    fake("sudo").chmod(0o644)
    (folder / "bin" / "sudo").write_text("#!/bin/sh\nexit 1\n")
    done = bootstrap(clone, f"{folder / 'bin'}:{without_node(folder)}", empty_dpkg)
    assert done.returncode == 2, done.stderr
    assert f"\n  apt-get install -y --no-install-recommends {' '.join(listed())}\n" in done.stderr
    assert calls.read_text() == ""
    assert not (clone / "var" / "house.json").exists()


def test_without_root_and_without_a_new_python_the_line_is_the_same(
    folder: Path, clone: Path, fake: Fake, empty_dpkg: Path
) -> None:
    calls = fake("apt-get")
    script = clone / "siths_portal" / "dev" / "bootstrap.sh"
    script.write_text(script.read_text().replace("/usr/bin/python3", str(folder / "no-python")))
    old = folder / "bin" / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # what a Python older than 3.12 answers to the version question
    old.chmod(0o755)
    done = bootstrap(clone, f"{folder / 'bin'}:{without_node(folder)}", empty_dpkg)
    assert done.returncode == 2, done.stderr
    assert done.stderr.endswith(f"\n  apt-get install -y --no-install-recommends {' '.join(listed())}\n")
    assert calls.read_text() == ""


def test_an_old_python3_on_the_path_is_passed_over(folder: Path, clone: Path, fake: Fake) -> None:
    fake("apt-get")
    old = folder / "bin" / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    (folder / "bin" / "python3.13").symlink_to(Path(sys.executable).resolve())
    command = ["/bin/sh", "siths_portal/dev/bootstrap.sh", "no-such-target"]
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(command, cwd=clone, env={"PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("Use: make run")


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, dpkg: Path | None) -> str | None:
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    if dpkg:
        monkeypatch.setenv("DPKG_ADMINDIR", str(dpkg))
    return toolchain.install_packages(folder)


def test_with_root_everything_missing_takes_one_update_and_one_install(
    folder: Path, fake: Fake, empty_dpkg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake("apt-get")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    note = install(folder, monkeypatch, empty_dpkg)
    update, installation = calls.read_text().splitlines()
    assert update == "apt-get -q update"
    wanted = [name for name in listed() if name not in ("nodejs", "npm") or not shutil.which({"nodejs": "node"}.get(name, name))]
    assert installation.startswith("apt-get -q install -y --no-install-recommends")
    assert installation.endswith(" ".join(wanted))
    assert note == f"{len(wanted)} installed"
    assert Path(f"{calls}.env").read_text().splitlines()[1] == "noninteractive"


def test_nothing_missing_calls_no_apt(folder: Path, fake: Fake, empty_dpkg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake("apt-get")
    fake("node")
    fake("npm")
    stanzas = (f"Package: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n" for name in listed())
    (empty_dpkg / "status").write_text("\n".join(stanzas))
    assert install(folder, monkeypatch, empty_dpkg) is None
    assert calls.read_text() == ""


def test_a_removed_package_whose_configuration_stayed_is_missing(
    folder: Path, fake: Fake, empty_dpkg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_dpkg / "status").write_text("Package: nginx\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n")
    fake("apt-get")
    monkeypatch.setenv("DPKG_ADMINDIR", str(empty_dpkg))
    assert "nginx" in toolchain.missing_packages()


class TestBenchmarks:
    """`make bench` offers the areas that have files, and installs what those need."""

    def test_an_area_without_a_file_is_refused_with_those_that_have_one(self) -> None:
        assert set(house.bench_files("")) == {"billing", "pairs", "pki", "portal", "supplier"}
        assert all(Path(file).name.startswith("bench_portal") for file in house.bench_files("portal")["portal"])
        for area in ("issuance", "p"):
            with pytest.raises(HouseError, match=f"^AREA is billing or pairs or pki or portal or supplier, not {area}$"):
                house.bench_files(area)

    def test_with_root_missing_packages_are_installed_by_name(
        self, folder: Path, fake: Fake, empty_dpkg: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = self.planted(folder, fake, empty_dpkg, monkeypatch, user=0)
        assert toolchain.install_bench_packages(folder, ["portal"]) is None
        assert toolchain.install_bench_packages(folder, ["pki", "portal"]) == "1 installed"
        assert calls.read_text().splitlines()[-1].endswith(" golang-cfssl")

    def test_without_root_one_line_says_what_to_install(
        self, folder: Path, fake: Fake, empty_dpkg: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = self.planted(folder, fake, empty_dpkg, monkeypatch, user=1)
        (folder / "bin" / "sudo").write_text("#!/bin/sh\nexit 1\n")
        (folder / "bin" / "sudo").chmod(0o755)
        with pytest.raises(HouseError, match=r"As root: apt-get install -y --no-install-recommends golang-cfssl$") as refused:
            toolchain.install_bench_packages(folder, ["pki"])
        assert "\n" not in str(refused.value)
        assert calls.read_text() == ""

    @staticmethod
    def planted(folder: Path, fake: Fake, dpkg: Path, monkeypatch: pytest.MonkeyPatch, *, user: int) -> Path:
        """A machine on which wrk is there and cfssl is not; apt-get writes down its calls."""
        fake("wrk")
        calls = fake("apt-get")
        monkeypatch.setattr(os, "geteuid", lambda: user)
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{without_node(folder)}")
        monkeypatch.setenv("DPKG_ADMINDIR", str(dpkg))
        return calls


def test_a_failing_step_says_which_command_with_its_end_and_stops(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["sh", "-c", "echo broken; exit 3"]
    reached: list[str] = []

    def fail(_: Path) -> None:
        toolchain.run_logged(command, folder / "log", cwd=folder)

    with pytest.raises(HouseError, match="ended with 3") as failure:
        run_steps([Step("First", fail), Step("Second", lambda _: reached.append("second"))], folder)
    assert "broken" in str(failure.value)
    assert reached == []
    assert re.search(r"First +\d+\.\d s  failed", capsys.readouterr().out)
