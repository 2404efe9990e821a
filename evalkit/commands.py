"""The commands that make a run, or a page of it, once more, with the names that run files have by default."""

import shlex
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from evalkit.models import DEFAULT_MAX_TOKENS
from evalkit.records import Spec

_ENDPOINT = "https://api.anthropic.com"


def run_file(spec: Spec) -> str:
    """Where a run is kept if nobody says otherwise."""
    return f"runs/{spec.name}-{spec.sha256[:8]}.db"


def commands_of_import(spec: Spec) -> list[list[str]]:
    """The commands that take the same outputs from elsewhere again, and put those of several files together."""
    files = spec.dataset_files or (f"{spec.name}.jsonl",)
    imports = [["evalkit", "import", file, *_import_rubric(spec)] for file in files]
    if len(files) == 1:
        return imports
    parts = [f"runs/{spec.sha256[:8]}-{number}.db" for number in range(1, len(files) + 1)]
    named = [[*command, "-o", part] for command, part in zip(imports, parts, strict=True)]
    return [*named, ["evalkit", "merge", *parts, "-o", run_file(spec)]]


def command_of_run(spec: Spec, streamed: int | None = None, classifier: str | None = None) -> list[str]:
    """The command that makes the same run again.

    `streamed`: the items beside those in batches, None where nothing was sent in batches. `classifier`: the small model
    that classified each request in a run beside it.
    """
    models = (part for model in spec.models for part in ("-m", model))
    way = [] if streamed is None else ["--executor", "batch"]
    sample = ["--latency-sample", str(streamed)] if streamed else []
    router = [] if classifier is None else ["--with-router", classifier]
    dataset = next(iter(spec.dataset_files), f"datasets/{spec.name}.jsonl")
    run = ["evalkit", "run", dataset, *_run_rubric(spec), *_chosen(spec)]
    return [*run, *models, *_settings(spec), *way, *sample, *router]


def report_against(spec: Spec, earlier: Spec) -> str:
    """The command of a whole report that has an earlier run beside it."""
    return shlex.join(["evalkit", "report", run_file(spec), "--baseline", run_file(earlier)])


def comparison(spec: Spec, earlier: Spec, pairs: Sequence[str] = (), *, peek: bool = False) -> str:
    """The command of a page about two runs alone; `pairs` are models to compare, as THEN=NOW, and `peek` looks at what
    people still grade."""
    asked = [part for pair in pairs for part in ("--pair", pair)] + ["--peek"] * peek
    return shlex.join(["evalkit", "compare", run_file(earlier), run_file(spec), *asked])


def _chosen(spec: Spec) -> Iterable[str]:
    if spec.condition is not None:
        source = f"runs/{spec.name}-{str(spec.condition.get('run'))[:8]}.db"
        yield from ("--only-unsatisfactory", str(spec.condition.get("model")), "--from", source)


def _run_rubric(spec: Spec) -> Iterable[str]:
    """Of a run whose rubric's file was not kept, only where its name is not the dataset's. A conditional run takes that
    of the run that its items were chosen from."""
    name = spec.rubric.get("name")
    file = spec.rubric_file or (f"rubrics/{name}.yaml" if name and name != spec.name else None)
    if spec.condition is None and file:
        yield from ("--rubric", file)


def _import_rubric(spec: Spec) -> Iterable[str]:
    """Where no file is kept, a rubric of one criterion with its own name is what `--satisfactory-from` makes."""
    if spec.rubric_file:
        return "--rubric", spec.rubric_file
    name, criteria = str(spec.rubric.get("name")), spec.rubric.get("criteria", ())
    if [criterion.get("id") for criterion in criteria] == [name]:
        return "--satisfactory-from", name
    return "--rubric", f"{name}.yaml"


def _settings(spec: Spec) -> Iterable[str]:
    """The options of `evalkit run` that make the same run again, those at their default left out.

    A conditional run takes all but its epochs from the run that its items were chosen from.
    """
    yield from ("--epochs", str(spec.epochs))
    if spec.condition is None:
        yield from _own_settings(spec)
    yield from base_url(spec.endpoint)


def base_url(endpoint: str) -> Iterable[str]:
    """The option that names a server as a run records it, where it is not Anthropic's own."""
    if endpoint != _ENDPOINT:
        yield from ("--base-url", _address(endpoint))


def _own_settings(spec: Spec) -> Iterable[str]:
    yield from ("--seed", str(spec.seed))
    if spec.cache != "off":
        yield from ("--cache", "as-production")  # what is kept is how long the card's marks keep a prompt
    if spec.contexts or spec.context_tokens:
        yield from ("--context", ",".join(map(str, spec.contexts or (spec.context_tokens,))))
    if spec.limit:
        yield from ("--limit", str(spec.limit))
    if spec.max_tokens != DEFAULT_MAX_TOKENS:
        yield from ("--max-tokens", str(spec.max_tokens))


def _address(endpoint: str) -> str:
    """The endpoint as a run records it; one on this machine has no port there, since it is another every time."""
    parts = urlsplit(endpoint)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1") and parts.port is None
    return f"{parts.scheme}://{parts.netloc}:PORT{parts.path}" if local else endpoint
