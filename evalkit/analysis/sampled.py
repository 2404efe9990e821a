"""Which failures stand beside outputs of which only a sample is graded: they need no grader, and would outnumber it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from evalkit.frozen import dataclass
from evalkit.records import TrialKey


@dataclass(frozen=True)
class Ended:
    """A trial that ended: whether it brought an output to grade, and whether graders were asked about that.

    `part`: the difficulty and the tags of its item.
    """

    key: TrialKey
    output: bool
    asked: bool
    part: tuple[str, ...]


_Stratum = tuple[object, ...]


def beyond_sample(trials: Sequence[Ended]) -> frozenset[TrialKey]:
    """Failures that stand for no graded output, so that of the failures as large a share counts as of the outputs.

    The share is that of the model's outputs in the same stratum: of the epoch, by what became of other models' outputs
    of the item in it and of the model's own in other epochs, and of the part of the items; where it has none there, of
    ever less of that. So a sample of items, epochs or parts is met exactly, and one of outputs in proportion
    (post-stratification: Cochran, Sampling Techniques, 5A.9). A model without any output is seen where others were.
    """
    if all(t.output for t in trials) or all(t.asked for t in trials if t.output):  # as of most runs, which may be large
        return frozenset()
    strata = list(_strata(trials))
    outputs: dict[_Stratum, list[bool]] = defaultdict(list)
    for trial, of_trial in zip(trials, strata, strict=True):
        if trial.output:
            for stratum in of_trial:
                outputs[stratum].append(trial.asked)
    everyone = [trial.asked for trial in trials if trial.output]
    failed = []
    for trial, of_trial in zip(trials, strata, strict=True):
        if not trial.output:
            known = next((outputs[stratum] for stratum in of_trial if stratum in outputs), None)
            seen = _others(of_trial)
            share = _share(known) if known else _share(everyone) if seen is None else float(seen)
            failed.append((tuple(map(str, of_trial[0])), _lot(trial.key), share, trial.key))
    return frozenset(_left_out((key, share) for _, _, share, key in sorted(failed)))


def _left_out(shares: Iterable[tuple[TrialKey, float]]) -> Iterator[TrialKey]:
    """All but as many as the shares add up to, drawn systematically."""
    total = 0.0
    for key, share in shares:
        before, total = total, total + share
        if int(total + 0.5) == int(before + 0.5):
            yield key


def _strata(trials: Sequence[Ended]) -> Iterator[tuple[_Stratum, ...]]:
    """Of each trial, from the finest to the whole model."""
    at_once, of_item = _asked(trials, lambda t: (t.key.item_id, t.key.epoch)), _asked(trials, lambda t: t.key.item_id)
    for trial in trials:
        key = trial.key
        others = [asked for who, asked in at_once[key.item_id, key.epoch] if who.model != key.model]
        own = [asked for who, asked in of_item[key.item_id] if who.model == key.model and who != key]
        finest = (key.model, key.epoch, _some(others), _some(own), *trial.part[:1], trial.part[1:])
        yield tuple(finest[:length] for length in range(len(finest), 0, -1))


def _others(strata: tuple[_Stratum, ...]) -> bool | None:
    """What the finest says of other models' outputs."""
    told = strata[0][2]
    return told if isinstance(told, bool) else None


def _asked(
    trials: Sequence[Ended], place: Callable[[Ended], object]
) -> Mapping[object, Sequence[tuple[TrialKey, bool]]]:
    found: dict[object, list[tuple[TrialKey, bool]]] = defaultdict(list)
    for trial in trials:
        if trial.output:
            found[place(trial)].append((trial.key, trial.asked))
    return found


def _some(asked: Sequence[bool]) -> bool | None:
    return any(asked) if asked else None


def _share(asked: Sequence[bool]) -> float:
    return sum(asked) / len(asked)


def _lot(key: TrialKey) -> bytes:
    """An order that has nothing to do with how hard items are, and is the same in every report."""
    return sha256(f"{key.item_id}\n{key.model}\n{key.epoch}".encode()).digest()
