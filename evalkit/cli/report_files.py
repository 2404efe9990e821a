"""What `report` and `compare` have in common: options of what is shown, and writing it in the forms asked for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli import urls
from evalkit.cli.terminal import say

if TYPE_CHECKING:
    from evalkit.analysis import Analysis
    from evalkit.forms import Shown
    from evalkit.records import Snapshot
    from evalkit.redaction import Redaction

LARGE_BYTES = 10_000_000
"""Size from which mail servers and browsers make trouble."""

Redact = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN", show_default=False,
        help="Regular expression whose matches in texts are replaced by a mark; repeatable, beside evalkit.yaml's.",
    ),
]  # fmt: skip
NoOutputs = Annotated[
    bool,
    typer.Option(
        "--no-outputs",
        help="Leave out all texts of items, outputs and notes; figures, item ids, tags and names of documents and of"
        " graders stay (--redact hides what matches in those).",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON and nothing else; notes go to stderr.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Warnings and errors only.")]
Peek = Annotated[bool, typer.Option("--peek", help="Show results although people are still grading; it is recorded.")]


def redaction(patterns: Sequence[str] | None, no_outputs: bool) -> "Redaction":
    """What is to be withheld, by the options and by evalkit.yaml; UsageError for a pattern that is none."""
    from evalkit.files import read_config
    from evalkit.redaction import Redaction

    config = read_config(Path("evalkit.yaml"))
    return Redaction((*config.redact, *(patterns or ())), texts=not no_outputs)


def shown(analysis: "Analysis", snapshot: "Snapshot", hidden: "Redaction", path: Path) -> "Shown":
    """The run of a file as it may be seen; of where the file is only its name, and of machines only how many."""
    from evalkit.analysis.workers import without_hosts
    from evalkit.forms import Shown
    from evalkit.redaction import withheld

    seen = replace(analysis, workers=without_hosts(analysis.workers))
    return Shown(withheld(seen, hidden), snapshot, hidden, run_file=path.name)


def write(paths: Sequence[Path], report: "Shown") -> Mapping[Path, Sequence[Path]]:
    """Every form, none of them before all are made; what was written for each, itself first.

    Before anything is printed: what reads our output may have seen enough of it, and end us.
    """
    from evalkit.files import write_whole
    from evalkit.forms import files_of

    page = next((path for path in paths if path.suffix.lower() == ".html"), Path())
    exports = [path.name for path in paths if path.suffix.lower() in _WITH_ITEMS and path.parent == page.parent]
    named = replace(report, page=page.name, export=next(iter(exports), ""))
    made = {path: files_of(path, named) for path in paths}
    for files in made.values():
        for target, content in files.items():
            write_whole(target, content)
    for path, (_, *beside) in made.items():
        urls.deliver(*beside, path)  # what is beside first, so that no page names what is not there
    return {path: tuple(files) for path, files in made.items()}


def tell(made: Mapping[Path, Sequence[Path]], to_stderr: bool, quiet: bool = False) -> None:
    """A line on each form that was written, with its size, and what is in the way."""
    from evalkit.wording import plural

    for path, (_, *beside) in made.items():
        size = path.stat().st_size
        also = f", {plural(len(beside), 'cut text')} whole in {beside[0].parent}" if beside else ""
        if not quiet:
            say(urls.as_given(f"{path} ({size / 1000:,.0f} kB{also})"), err=to_stderr)
        if size > LARGE_BYTES:
            say(
                f"! {urls.as_given(path)} is over {LARGE_BYTES / 1e6:.0f} MB, which mail and browsers may refuse;"
                " `--no-outputs` leaves the texts out", err=True,
            )  # fmt: skip
    written = {target for files in made.values() for target in files}
    for folder in sorted({path.with_name(f"{path.stem}-outputs") for path in made}):
        old = [name for name in urls.names_in(folder) if _OURS.fullmatch(name) and folder / name not in written]
        if old:
            told = f"{urls.as_given(folder)} has {plural(len(old), 'text')} of an earlier report"
            say(f"! {told}; delete what may not be seen", err=True)


_WITH_ITEMS = (".xlsx", ".json")
"""Forms that have every item with its outputs, also where the page is too small for them."""

_OURS = re.compile(r"\d{3,}-([a-z]+|task|reference)\.txt")
