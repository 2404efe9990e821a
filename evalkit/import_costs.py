"""Where an import's costs come from, as its spec says it: given with the outputs, or list prices of their tokens."""

from collections.abc import Iterable, Mapping

from evalkit.models import display_name
from evalkit.records import Spec

_GIVEN, _PRICED, _UNPRICED = "as imported", "from tokens", "unpriced"


def told(given: Iterable[str], priced: Iterable[str], unpriced: Iterable[str], prices_version: str) -> str:
    """What the spec of an import says of its prices, by the models with costs of each source."""
    sources: Mapping[str, Iterable[str]] = {
        _GIVEN: given,
        f"{prices_version} {_PRICED}": priced,
        _UNPRICED: unpriced,
    }
    return "; ".join(f"{source}: {', '.join(models)}" for source, models in sources.items() if models)


def on_two_bases(compared: Iterable[tuple[Spec, str]]) -> str | None:
    """That costs of these models, each of its run, are given for some outputs and list prices of tokens for others,
    which know nothing of caches, batches and discounts; None if not."""
    given, priced = dict[str, None](), dict[str, None]()
    for spec, model in compared:
        for source in _sources(spec, model):
            (given if source == _GIVEN else priced)[display_name(model)] = None
    if not given or not priced:
        return None
    return f"costs of {', '.join(given)} are as imported, and of {', '.join(priced)} list prices of the tokens"


def came_with_import(spec: Spec, model: str) -> bool:
    """Whether costs of a model's requests were given, by whatever prices."""
    return _GIVEN in _sources(spec, model)


def is_mixed(spec: Spec, model: str) -> bool:
    """Whether costs of some of a model's requests were given, and others' are list prices of their tokens."""
    return len(_sources(spec, model)) > 1


def _sources(spec: Spec, model: str) -> set[str]:
    """Of a model that a spec says nothing about the costs are those of this package's own runs, from tokens."""
    parts = (part.partition(": ") for part in spec.prices_version.split("; "))
    found = {source for source, _, models in parts if model in models.split(", ")}
    return (found or {_PRICED}) - {_UNPRICED}
