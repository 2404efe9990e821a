"""Whether graders knew who wrote what: their guesses against the truth, by Bang's index."""

from collections import Counter
from collections.abc import Iterator, Mapping

from evalkit import stats
from evalkit.frozen import dataclass
from evalkit.grader_names import is_again
from evalkit.records import Snapshot
from evalkit.stats import Estimate


@dataclass(frozen=True)
class Guesses:
    """How often an author's outputs were taken for a model's; `guess` None: do not know."""

    author: str
    guess: str | None
    times: int


@dataclass(frozen=True)
class Blinding:
    """Guesses of who wrote an output: `asked` in all, `said` with a model named.

    `index` by model and `overall`, their mean: 0 as good as chance, 1 all right. `guesses`: what each model was taken
    for, where it was at all.
    """

    asked: int
    said: int
    graders: int
    index: Mapping[str, Estimate]
    overall: Estimate
    guesses: tuple[Guesses, ...]


def blinding(snapshot: Snapshot) -> Blinding | None:
    """Every grader's last guess on each output in blind rounds; None where nobody was asked."""
    blind = {round_.id for round_ in snapshot.rounds if round_.blind}
    keys = {trial.id: trial.key for trial in snapshot.trials}
    last = {
        (m.round_id, m.grader, m.trial_id): m.content.get("guess")
        for m in snapshot.markings
        if m.kind == "author" and m.round_id in blind and not is_again(m.grader) and m.trial_id in keys
    }
    models = snapshot.spec.models
    if not last or len(models) < 2:
        return None
    arms, guesses = [keys[trial].model for _, _, trial in last], list(last.values())
    found = stats.bang_index(arms, guesses, models, items=[keys[trial].item_id for _, _, trial in last])
    return Blinding(
        asked=len(last),
        said=sum(guess is not None for guess in guesses),
        graders=len({grader for _, grader, _ in last}),
        index=dict(zip(models, found.arms, strict=True)),
        overall=found.overall,
        guesses=tuple(Guesses(*pair, times) for pair, times in Counter(zip(arms, guesses, strict=True)).items()),
    )


def seen_through(found: Blinding | None) -> Iterator[str]:
    """That graders are shown to have known authors, whatever was hidden from them."""
    index = None if found is None else found.overall
    if index is not None and index.value is not None and index.low is not None and index.low > 0:
        limits = f"{index.low:.2f} to {index.value if index.high is None else index.high:.2f}"
        yield (
            f"Graders could tell who wrote what better than chance (Bang's index {index.value:.2f}, {limits}): grades"
            " may favour a model that they knew, see Blinding."
        )
