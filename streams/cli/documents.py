"""`segments docs`: the contract on paper, written from the models or checked against them."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.documents import FOLDER, documents, is_ours
from streams.cli.common import FAULT, command, err, out


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("docs", rich_help_panel="Definitions")(_docs)


@command
def _docs(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 and name each file that differs.")
    ] = False,
    folder: Annotated[Path, typer.Option("--out", help="The folder of the documents.")] = Path("docs"),
) -> None:
    """Write JSON Schemas, the AsyncAPI document and the page of topics, all made from the models in `schemas/`."""
    texts = {folder / name: text for name, text in documents().items()}
    found = _differences(folder, texts)
    if check:
        for path, difference in found.items():
            err.print(f"{path}: {difference}", style="red", markup=False)
        if found:
            err.print("the documents are not what the models say; write them anew: segments docs", markup=False)
            raise typer.Exit(FAULT)
        out.print(f"{folder}: {len(texts)} documents, no difference", markup=False)
        return
    for path in found:
        _settle(path, texts.get(path))
    out.print(f"{folder}: {len(texts)} documents, {len(found)} changed", markup=False)


def _differences(folder: Path, texts: dict[Path, str]) -> dict[Path, str]:
    """Each file that is not as it should be, and how; files that we did not make are nobody's business."""
    found = {}
    for path, text in texts.items():
        if not path.exists():
            found[path] = "missing"
        elif path.read_bytes() != text.encode():
            found[path] = "differs"
    for path in sorted((folder / FOLDER).glob("*.json")):
        if path not in texts and is_ours(path.read_bytes()):
            found[path] = "left over"
    return found


def _settle(path: Path, text: str | None) -> None:
    """Make a file what it should be; without a text, it should not be."""
    if text is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
