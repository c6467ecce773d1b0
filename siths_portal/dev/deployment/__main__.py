"""`python -m siths_portal.dev.deployment`: writes `deploy/` from the table of processes, without leftovers."""

from pathlib import Path

from siths_portal.dev.deployment.made import FOLDERS, files

ROOT = Path(__file__).resolve().parents[3]


def main(folder: Path) -> None:
    """Makes the files of its folders those of the table, and prints how many there are."""
    wanted = files()
    for path in [path for name in FOLDERS for path in (folder / name).rglob("*") if path.is_file()]:
        if str(path.relative_to(folder)) not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    print(f"{len(wanted)} files in {folder.name}/")


if __name__ == "__main__":
    main(ROOT / "deploy")
