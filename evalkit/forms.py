"""The forms of a report, each by the ending of the file it is asked for in, and what goes beside them."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.analysis.results import Analysis
from evalkit.blocks import Excerpt, Items, Section
from evalkit.errors import UsageError
from evalkit.frozen import dataclass
from evalkit.records import Snapshot
from evalkit.redaction import Redaction, withheld_table
from evalkit.report import Report, build_report, render_html, render_json, render_markdown
from evalkit.sections.items import output_texts
from evalkit.wording import listing, visible

if TYPE_CHECKING:
    import pandas as pd  # a tenth of a second and more, for tables alone


@dataclass(frozen=True)
class Shown:
    """What is to be shown of a run: its analysis as it may be seen, and its rows, which `redaction` is applied to.

    `parts` names the sections that are wanted, None for all. `page` names the HTML file that is made as well, if any,
    and `export` one beside it that has every item with its outputs.
    """

    analysis: Analysis
    snapshot: Snapshot
    redaction: Redaction
    parts: Collection[str] | None = None
    page: str = ""
    export: str = ""
    run_file: str = "RUN.db"

    @cached_property
    def trials(self) -> "pd.DataFrame":
        """One row a trial."""
        from evalkit.analysis.trials_table import trials_table

        return withheld_table(trials_table(self.snapshot), self.redaction)

    @property
    def full_trials(self) -> "pd.DataFrame":
        """The same with the texts of each output and error."""
        import pandas as pd

        from evalkit.analysis.trials_table import outputs_of, trials_table

        whole = pd.concat([trials_table(self.snapshot).reset_index(drop=True), outputs_of(self.snapshot)], axis=1)
        return withheld_table(whole, self.redaction)

    @cached_property
    def report(self) -> Report:
        """The report, whatever forms it is to be written in."""
        return self.redaction.everywhere(build_report(self.analysis, self.parts))

    @property
    def json(self) -> str:
        """The report as JSON."""
        return render_json(self.analysis, report=self.report, change=self.redaction.everywhere)

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections of the report."""
        return self.report.sections

    @property
    def items(self) -> list[Items]:
        """The items as the report has them."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, Items)]


def files_of(path: Path, shown: Shown) -> dict[Path, str | bytes]:
    """A report in the form that the path's ending names, and the texts that are cut in it, whole, in a folder beside.
    The ending is one that `check_endings` lets pass.
    """
    folder = f"{path.stem}-outputs"
    content, cut = _FORMS[path.suffix.lower()](shown, folder)
    return {path: content} | {path.with_name(folder) / name: text for name, text in cut.items()}


def check_endings(paths: Iterable[Path], offered: Collection[str] | None = None) -> None:
    """UsageError for a path that is not of a form (of those `offered`), or of one that cannot be written here."""
    for path in paths:
        if path.suffix.lower() not in (offered or _FORMS):
            raise UsageError(f"{str(path)!r}: unknown format; end it in {listing(list(offered or _FORMS), 'or')}")
        if path.suffix.lower() == ".parquet":
            require_pyarrow(path)


def require_pyarrow(path: Path, instead: str = ".csv or .xlsx") -> None:
    """UsageError where Parquet cannot be written; `instead`: what can."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise UsageError(f"{str(path)!r} needs pyarrow; install evalkit-claude[parquet], or write {instead}")


Form = tuple[str | bytes, Mapping[str, str]]
"""The content of a file, and the side files of what is cut in it, by name."""


def _html(shown: Shown, folder: str) -> Form:
    cut = [text for items in shown.items for text in items.excerpts if text.cut_characters]
    page = render_html(
        shown.analysis, folder if cut else "", export=shown.export, report=shown.report, run_file=shown.run_file
    )
    return page, _side_files(cut)


def _csv(shown: Shown, _folder: str) -> Form:
    from evalkit.analysis.trials_table import trials_csv

    return trials_csv(shown.trials), {}


def _xlsx(shown: Shown, folder: str) -> Form:
    from evalkit.analysis.trials_table import grades_table
    from evalkit.rendering.workbook import fits
    from evalkit.workbook import workbook

    trials, grades = shown.full_trials, withheld_table(grades_table(shown.snapshot), shown.redaction)
    cut = [text for text in output_texts(shown.analysis) if not fits(text.whole)]
    places = {text.whole: f"{folder}/{text.file}" for text in cut}
    return workbook(shown.analysis, shown.sections, trials, grades, places, shown.redaction.everywhere), _side_files(
        cut
    )


def _parquet(shown: Shown, _folder: str) -> Form:
    return parquet(shown.trials), {}


def parquet(table: "pd.DataFrame") -> bytes:
    """A table as Parquet, which `require_pyarrow` sees to."""
    buffer = BytesIO()
    table.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


_FORMS: Mapping[str, Callable[[Shown, str], Form]] = {
    ".html": _html,
    ".md": lambda shown, _folder: (render_markdown(shown.analysis, whole=shown.page, report=shown.report), {}),
    ".json": lambda shown, _folder: (shown.json, {}),
    ".csv": _csv,
    ".xlsx": _xlsx,
    ".parquet": _parquet,
}


def _side_files(cut: Iterable[Excerpt]) -> dict[str, str]:
    """The whole of cut texts by the names of their side files; hidden characters are spelled out."""
    return {text.file: visible(text.whole) for text in cut}
