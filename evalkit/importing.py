"""From the lines of an import to a run file's content: the plan, how each trial ended, and who graded what."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from evalkit import __version__, import_costs
from evalkit.frozen import dataclass
from evalkit.grader_names import GraderKind
from evalkit.import_lines import ENDPOINT, ITEM_FIELDS, GradeLine, Numbered, TrialLine
from evalkit.pricing import LIST_PRICES, price, prices_version
from evalkit.rates import Rates
from evalkit.records import Attempt, Grade, ItemRecord, Round, Spec, TrialKey, Usage
from evalkit.rubric import Criterion, Decision, Rubric, Satisfactory
from evalkit.strict import content_sha256

UNGRADED = "ungraded in the imported file"
NO_OUTPUT = "no_output"
_SEED = 1
_KINDS: tuple[GraderKind, ...] = ("human", "judge", "check")
"""In order of preference where they graded equally many outputs."""


@dataclass(frozen=True)
class Imported:
    """What goes into the run file. Trials are numbered from 1 in the order of the lines, and so are attempts."""

    spec: Spec
    items: tuple[ItemRecord, ...]
    order: tuple[TrialKey, ...]
    attempts: tuple[Attempt, ...]
    rounds: tuple[Round, ...]
    grades: tuple[Grade, ...]

    @cached_property
    def graded_failures(self) -> int:
        """Trials without an output that somebody graded nevertheless: they count as failed all the same."""
        failed = {a.trial_id for a in self.attempts if a.outcome == "errored"}
        return len({g.trial_id for g in self.grades if g.level is not None} & failed)


def satisfactory_rubric(criterion: str) -> Rubric:
    """A rubric of one criterion with levels 0 and 1, of which 1 is satisfactory; ValidationError for a bad id."""
    levels = {0: "not satisfactory", 1: "satisfactory"}
    question = f"Is the output satisfactory as to {criterion!r}?"
    return Rubric(
        name=criterion,
        criteria=(Criterion(id=criterion, question=question, levels=levels),),
        satisfactory=Satisfactory(score=1.0),
        decision=Decision(),
    )


def only_criterion(lines: Sequence[Numbered], criterion: str) -> tuple[list[Numbered], Mapping[str, int]]:
    """The lines with the grades on one criterion alone, and how many grades on each other one were left out."""
    kept: list[Numbered] = []
    left_out: dict[str, int] = defaultdict(int)
    for one in lines:
        grades = tuple(grade for grade in one.line.grades if grade.criterion == criterion)
        for grade in one.line.grades:
            left_out[grade.criterion] += grade.criterion != criterion
        same = len(grades) == len(one.line.grades)
        kept.append(one if same else Numbered(one.number, one.line.model_copy(update={"grades": grades})))
    return kept, {name: count for name, count in left_out.items() if count}


def build(name: str, lines: Sequence[TrialLine], rubric: Rubric, now: datetime) -> Imported:
    """The whole content of an imported run; the same lines and rubric give the same spec.

    Costs are the line's own, else by today's prices from its tokens, else unknown.
    """
    created = now.isoformat(timespec="seconds")
    items = _items(lines)
    costs = _Costs(now)
    attempts = tuple(_attempt(number, line, costs.of(line), created) for number, line in enumerate(lines, start=1))
    rounds, grades = _grading(lines, rubric, created)
    spec = Spec(
        name=name,
        dataset_sha256=content_sha256(sorted(_content(item) for item in items)),
        rubric_sha256=rubric.sha256,
        prompt_sha256=content_sha256({"layout": ENDPOINT}),
        models=tuple(dict.fromkeys(line.model for line in lines)),
        epochs=max(line.epoch for line in lines),
        seed=_SEED,
        context_tokens=None,
        limit=None,
        endpoint=ENDPOINT,
        simulated=False,
        max_tokens=0,
        rubric=rubric.content(),
        package_version=__version__,
        prices_version=costs.said(),
        created_at=created,
        outputs_sha256=content_sha256([content_sha256(line.model_dump(exclude_none=True)) for line in lines]),
        economics_stated=rubric.economics.correction_stated,
        rates=costs.rates(),
    )
    order = tuple(TrialKey(line.item_id, line.model, line.epoch) for line in lines)
    return Imported(spec, items, order, attempts, rounds, grades)


def _content(item: ItemRecord) -> list[object]:
    """What an item is, whatever its place: the same items in another order are the same dataset."""
    return [item.id, item.task, item.reference, item.difficulty, sorted(item.tags)]


def _items(lines: Sequence[TrialLine]) -> tuple[ItemRecord, ...]:
    """Items in order of appearance, each with what any of its lines says of it."""
    merged: dict[str, TrialLine] = {}
    for line in lines:
        first = merged.setdefault(line.item_id, line)
        more = {name: getattr(line, name) for name in ITEM_FIELDS if getattr(first, name) is None}
        if any(value is not None for value in more.values()):
            merged[line.item_id] = first.model_copy(update=more)
    return tuple(_item(line, position) for position, line in enumerate(merged.values()))


def _item(line: TrialLine, position: int) -> ItemRecord:
    tags = tuple(dict.fromkeys(line.tags or ()))
    return ItemRecord(line.item_id, position, line.prompt or "", None, line.reference, line.difficulty, tags)


def _attempt(number: int, line: TrialLine, cost_usd: float | None, created: str) -> Attempt:
    """The one attempt that a line tells of; `sent_at` is when it was imported, since nobody knows when it was sent."""
    failed = line.failed
    kind, message = ("error", line.failure) if line.failure else (NO_OUTPUT, "no output and no error was recorded")
    return Attempt(
        id=number, trial_id=number, grader=None, round_id=None, number=1, sent_at=created,
        outcome="errored" if failed else "answered", final=True, text=line.output or "", stop_reason=None,
        served_model=line.served_model, request_id=None,
        usage=Usage(input_tokens=line.input_tokens, output_tokens=line.output_tokens), cost_usd=cost_usd,
        ttft_s=line.ttft_s, latency_s=line.latency_s, felt_s=None, queued_s=None, status=None,
        error_type=kind if failed else None, error_message=message if failed else None, simulated=False,
    )  # fmt: skip


class _Costs:
    """What each line cost, and where that is known from."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.priced: dict[tuple[str, int, int], float | None] = {}
        self.given: dict[str, None] = {}
        self.from_tokens: dict[str, set[str]] = defaultdict(set)
        self.unpriced: dict[str, None] = {}

    def of(self, line: TrialLine) -> float | None:
        """USD of a line's attempt; None if it is not given and cannot be priced."""
        if line.cost_usd is not None:
            self.given[line.model] = None
            return line.cost_usd
        for model in (line.model, line.served_model):
            usd = self._price(model, line)
            if model is not None and usd is not None:
                self.from_tokens[line.model].add(model)
                return usd
        self.unpriced[line.model] = None
        return None

    def _price(self, model: str | None, line: TrialLine) -> float | None:
        if model is None or line.input_tokens is None or line.output_tokens is None:
            return None
        key = (model, line.input_tokens, line.output_tokens)
        if key not in self.priced:
            self.priced[key] = price(model, Usage(input_tokens=key[1], output_tokens=key[2]), self.now).usd
        return self.priced[key]

    def said(self) -> str:
        """Where costs come from, by model: what the spec says of its prices."""
        return import_costs.told(self.given, self.from_tokens, self.unpriced, prices_version())

    def rates(self) -> dict[str, tuple[Rates, ...]]:
        """By what tokens were priced; not of a model whose lines were priced as those of several."""
        found: dict[str, tuple[Rates, ...]] = dict.fromkeys(self.unpriced, ())
        found |= {model: LIST_PRICES.tiers(min(priced_as), self.now) for model, priced_as in self.from_tokens.items()}
        several = {model for model, priced_as in self.from_tokens.items() if len(priced_as) > 1}
        return {model: tiers for model, tiers in found.items() if model not in several}


def _grading(lines: Sequence[TrialLine], rubric: Rubric, created: str) -> tuple[tuple[Round, ...], tuple[Grade, ...]]:
    """Rounds and grades. One kind of grader counts on each criterion: that which graded most outputs.

    Those make the last round, which is the one that counts; what other kinds said on the same criterion stands in
    rounds of its own, for agreement. So levels of people and of judges are never mixed into one.
    """
    counting = _counting(lines)
    groups: dict[str, list[tuple[int, GradeLine]]] = {name: [] for name in (*reversed(_KINDS), "")}
    for trial_id, grade in _all(lines):
        groups["" if counting[grade.criterion] == grade.kind else grade.kind].append((trial_id, grade))
    rounds: list[Round] = []
    grades: list[Grade] = []
    for group in filter(None, groups.values()):
        number = len(rounds) + 1
        graders = tuple(dict.fromkeys(grade.name for _, grade in group))
        rounds.append(Round(number, rubric.sha256, graders, None, _SEED, created))
        grades += [_grade(number, trial_id, grade) for trial_id, grade in group]
    return tuple(rounds), tuple(grades)


def _all(lines: Sequence[TrialLine]) -> Iterable[tuple[int, GradeLine]]:
    return ((number, grade) for number, line in enumerate(lines, start=1) for grade in line.grades)


def _counting(lines: Sequence[TrialLine]) -> Mapping[str, GraderKind]:
    """For each criterion the kind of grader that graded most outputs on it; people before judges before checks."""
    graded: dict[str, dict[GraderKind, set[int]]] = defaultdict(lambda: {kind: set() for kind in _KINDS})
    for trial_id, grade in _all(lines):
        by_kind = graded[grade.criterion]
        if grade.level is not None:
            by_kind[grade.kind].add(trial_id)
    return {name: max(_KINDS, key=lambda kind: len(by_kind[kind])) for name, by_kind in graded.items()}


def _grade(round_id: int, trial_id: int, grade: GradeLine) -> Grade:
    reason = UNGRADED if grade.level is None else None
    return Grade(round_id, grade.name, trial_id, grade.criterion, grade.level, reason)
