"""What `evalkit run` is asked to run: dataset, rubric and settings, by its options or by an earlier run."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evalkit.errors import UsageError
from evalkit.frozen import dataclass

if TYPE_CHECKING:
    from evalkit.config import Config
    from evalkit.dataset import Dataset
    from evalkit.planning import Options
    from evalkit.records import Spec
    from evalkit.rubric import Rubric


@dataclass(frozen=True)
class Choice:
    """What to run. `source`: the spec of the run that the items were chosen from, if they were."""

    path: Path
    dataset: "Dataset"
    rubric: "Rubric"
    options: "Options"
    source: "Spec | None" = None


@dataclass(frozen=True)
class Asked:
    """The options that say what is run, as they were given."""

    dataset: Path | None
    rubric: Path | None
    models: Sequence[str] | None
    epochs: int | None
    limit: int | None
    seed: int | None
    context: str | None
    max_tokens: int | None
    cache: Literal["off", "as-production"]
    only_unsatisfactory: str | None
    source: Path | None

    def choice(self, config: "Config", tell: Callable[[str], None]) -> Choice | None:
        """What they come to; None, and a line to `tell` that says so, if no item is left to run. Raises UsageError."""
        if self.only_unsatisfactory is None and self.source is None:
            return self._by_options(config)
        from evalkit.cli.only_unsatisfactory import again

        taken = {"--limit": self.limit, "--seed": self.seed, "--context": self.context, "--max-tokens": self.max_tokens}
        dearer = None if self.models is None else _distinct(self.models)
        return again(self.only_unsatisfactory, self.source, self.dataset, self.rubric, dearer, self.epochs, taken, tell)

    def _by_options(self, config: "Config") -> Choice:
        from evalkit.dataset_files import read_dataset
        from evalkit.files import find_rubric, read_rubric, without_machine
        from evalkit.models import DEFAULT_MAX_TOKENS
        from evalkit.planning import Options

        if self.dataset is None:
            raise UsageError("no dataset is named; give the test set's .jsonl file")
        loaded, rubric = read_dataset(self.dataset), self.rubric or find_rubric(self.dataset, config)
        options = Options(
            models=_distinct(self.models or config.models),
            epochs=self.epochs or config.epochs,
            limit=self.limit,
            seed=config.seed if self.seed is None else self.seed,
            contexts=() if self.context is None else sizes(self.context),
            max_tokens=self.max_tokens or DEFAULT_MAX_TOKENS,
            cache=self.cache,
            dataset_files=(without_machine(self.dataset),),
            rubric_file=without_machine(rubric),
        )
        return Choice(self.dataset, loaded, read_rubric(rubric), options)


def _distinct(models: Sequence[str]) -> tuple[str, ...]:
    for name in models:
        if not name.strip():
            raise UsageError("a model id is empty; name a model, see `evalkit models`")
        if list(models).count(name) > 1:
            raise UsageError(f"model {name!r} is named twice; name it once and use --epochs for repeats")
    return tuple(models)


def sizes(text: str) -> tuple[int, ...]:
    """Sizes separated by commas, each once, in rising order."""
    found = [tokens(part) for part in text.split(",")]
    if len(set(found)) < len(found):
        raise UsageError(f"--context {text!r} names a size twice; name it once")
    return tuple(sorted(found))


def tokens(text: str) -> int:
    """A size as people write it: 50000, 50_000, 50k, 1.5k."""
    found = re.fullmatch(r"(\d[\d_]*(?:\.\d+)?)\s*([kKmM]?)", text.strip())
    size = 0 if found is None else float(found[1].replace("_", "")) * {"": 1, "k": 1e3, "m": 1e6}[found[2].lower()]
    if size < 1:
        raise UsageError(f"--context {text!r} is not a number of tokens; write e.g. 50000 or 50k")
    return round(size)
