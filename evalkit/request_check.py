"""What is doubtful about the requests a dataset makes: template, settings, size, cache marks, what models reject."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evalkit.cache_marks import absent_parts
from evalkit.dataset import Dataset, Item, TemplateText
from evalkit.params import conflicts
from evalkit.prompt import build_request, first_text, unmarked_documents
from evalkit.records import ModelFacts
from evalkit.settings_check import MAX_REQUEST_BYTES, rejected_settings, request_bytes
from evalkit.strict import Problem
from evalkit.wording import plural


def request_doubts(path: Path, dataset: Dataset) -> list[Problem]:
    """Every problem of the requests as they would be sent, with their evidence alone; missing files are passed over."""
    unfilled = list(_template(dataset))
    return [*_settings(path, dataset), *(unfilled or _requests(path, dataset))]


def rejections(
    dataset: Dataset, models: Sequence[str], max_tokens: int, facts: Mapping[str, ModelFacts | None]
) -> list[str]:
    """What these models would turn down, one line each: what, with the items concerned; what to do.

    `facts` by model, where the server states any. The dataset's templates must be known to work.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for item in dataset.items:
        for model in models:
            request = build_request(model, item, dataset, dataset.evidence.get(item.id, ()), max_tokens)
            for line in rejected_settings(request, facts.get(model)):
                found[line].append(item.id)
    lines = ((line.partition("; "), ids) for line, ids in found.items())
    return [f"{what} ({_named(ids)}){stop}{remedy}" for (what, stop, remedy), ids in lines]


def _named(ids: Sequence[str]) -> str:
    more = f" and {plural(len(ids) - 1, 'other item')}" if len(ids) > 1 else ""
    return f"item {ids[0]!r}{more}"


def _settings(path: Path, dataset: Dataset) -> Iterator[Problem]:
    """Settings that do not go together, or that do nothing."""
    for item in dataset.items:
        for what, remedy in conflicts(dataset.params(item)):
            yield Problem(str(path), dataset.lines.get(item.id, 1), f"item {item.id!r}: {what}", remedy)
    with_vars = [item.id for item in dataset.items if item.vars]
    if with_vars and dataset.card.template is None:
        what, remedy = (
            f"'vars' without a template ({_named(with_vars)})",
            "they are not sent; add 'template' to the card",
        )
        yield Problem(str(path), 1, what, remedy, "warning")
    for part in absent_parts(dataset, dataset.card.cache) if dataset.card.cache is not None else ():
        what = f"'cache.{part}' is marked, but no item has any {'marks in its turns' if part == 'turns' else part}"
        yield Problem(
            str(path.with_suffix(".yaml")), 1, what, "remove the mark, or add what production sends", "warning"
        )


def _template(dataset: Dataset) -> Iterator[Problem]:
    """Where the template cannot be filled in, and for which items."""
    if dataset.template is None:
        return
    from evalkit.template import TemplateError

    found: dict[tuple[int, str, str], list[str]] = defaultdict(list)
    for item in dataset.items:
        try:
            first_text(item, dataset, dataset.evidence.get(item.id, ()))
        except TemplateError as error:
            found[(error.line, error.what, error.remedy)].append(item.id)
    for (line, what, remedy), ids in found.items():
        yield _of_template(dataset.template, f"{what} ({_named(ids)})", remedy, line)


def _of_template(template: TemplateText, what: str, remedy: str, line: int = 1) -> Problem:
    return Problem(template.file, template.line + line - 1, what, remedy)


def _requests(path: Path, dataset: Dataset) -> Iterator[Problem]:
    """What is odd about the requests as they would be sent, with their evidence alone."""
    for item in dataset.items:
        if any(name not in dataset.attachments for name in item.attachments):
            continue  # it could not be read, which is told already
        size = request_bytes(build_request("", item, dataset, dataset.evidence.get(item.id, ()), 1))
        if size > MAX_REQUEST_BYTES:
            megabytes, most = size / 2**20, MAX_REQUEST_BYTES // 2**20
            what = f"item {item.id!r} makes a request of {megabytes:.1f} MB, over the {most} MB that the API takes"
            yield Problem(str(path), dataset.lines.get(item.id, 1), what, "use smaller attachments or documents")
    if dataset.template is not None:
        yield from _what_the_template_sends(dataset, dataset.template)


def _what_the_template_sends(dataset: Dataset, template: TemplateText) -> Iterator[Problem]:
    """Prompts that lost what makes them this item's: their evidence, or all that differs from another's."""
    without: list[str] = []
    senders: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for item in dataset.items:
        evidence = dataset.evidence.get(item.id, ())
        text = first_text(item, dataset, evidence)
        if _leaves_out(item, dataset, evidence, text):
            without.append(item.id)
        senders[(text, repr(item.turns[1:]), item.attachments, dataset.system(item))].append(item.id)
    if dataset.card.cache is not None and dataset.card.cache.documents and (apart := unmarked_documents(dataset)):
        what = f"'cache.documents' is marked, but the template does not print them as one block ({_named(apart)})"
        remedy = "print {{ documents }} whole, or remove the mark: nothing of them would be cached"
        problem = _of_template(template, what, remedy)
        yield replace(problem, severity="warning")
    if without:
        what = f"the template leaves documents out ({_named(without)})"
        yield _of_template(template, what, "print {{ documents }}, or drop the items' documents")
    for ids in senders.values():
        if len(ids) > 1:
            what = f"the template makes the same prompt of several items ({_named(ids)})"
            yield _of_template(template, what, "print {{ item.input }} or what else differs between them")


def _leaves_out(item: Item, dataset: Dataset, evidence: Sequence[str], text: str) -> bool:
    """Whether the beginning or the end of a document is not in the prompt, in whatever form the template prints it:
    escaped, folded, numbered. Told by words that are put there, where the text is not in the prompt as it is; a
    template that cannot be filled in with these is not said to leave anything out."""
    from evalkit.template import TemplateError

    altered = [name for name in evidence if dataset.documents[name].strip() not in text]
    if not altered:
        return False
    ends = {name: (f"qzx{number}begins", f"qzx{number}ends") for number, name in enumerate(altered)}
    marked = {name: f"{begin} {dataset.documents[name]} {end}" for name, (begin, end) in ends.items()}
    try:
        prompt = first_text(item, replace(dataset, documents={**dataset.documents, **marked}), evidence)
    except TemplateError:
        return False
    printed = "".join(filter(str.isalnum, prompt)).casefold()
    return any(end not in printed for both in ends.values() for end in both)
