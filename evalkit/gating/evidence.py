"""What a gate looks at: two models on the same items, as an analysis left them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cached_property

from evalkit.analysis.reliability import JudgeValidity
from evalkit.analysis.results import Analysis, ItemResult, ModelResult, OutputResult
from evalkit.analysis.views import LEAST_YOUDEN
from evalkit.errors import IntegrityError, UsageError
from evalkit.frozen import dataclass
from evalkit.gating.naming import part_of
from evalkit.gating.pairs import FEWEST_APART, UNLIKE, Paired, count, pairs_of
from evalkit.records import Snapshot
from evalkit.rounds import in_drawing_order
from evalkit.rubric import Rubric
from evalkit.wording import listing, plural

Epochs = Callable[[str], int]
"""The epoch that is taken of an item."""
Measure = Callable[[OutputResult], float | None]
"""One number of a trial, None where it has none."""
_SAME = ("dataset_sha256", "rubric_sha256", "prompt_sha256", "context_tokens", "contexts", "cache")
_CALLED = {"context_tokens": "context size", "contexts": "context size", "cache": "cache setting"}

REPEAT = "repeat `evalkit run` and `evalkit grade`"
"""What brings trials and verdicts that are missing, and is safe to repeat."""

APART = (
    "graded the two runs of one model apart, and may have graded otherwise; compare two epochs of one run (`evalkit run"
    " --epochs 2`, `evalkit gate --aa`)"
)
"""Why two runs of one model do not pass, after who graded them."""


@dataclass(frozen=True)
class Evidence:
    """Baseline and candidate, each one model of an analysed run; of the same run, or of two that may be compared.

    `halves`: the one epoch that each side is taken from, where a model is compared with itself, of half of the items
    the other way round. `begun_at`: when the candidate's first request was sent, which a merged file may hold beside an
    older baseline; None where not known. `slices`: those that the policy asks of.
    """

    of_baseline: Analysis
    of_candidate: Analysis
    baseline: str
    candidate: str
    halves: tuple[int, int] | None = None
    begun_at: str | None = None
    slices: Collection[str] = ()

    @cached_property
    def rubric(self) -> Rubric:
        """The rubric that both were graded by."""
        return Rubric.read_back(self.of_candidate.spec.rubric)

    @property
    def together(self) -> bool:
        """Whether both sides lie in one run, so that the same graders saw them in the same round."""
        return self.of_baseline is self.of_candidate

    @property
    def simulated(self) -> bool:
        """Whether anything of it came from the sandbox."""
        return self.of_baseline.simulated or self.of_candidate.simulated

    @property
    def seen_through(self) -> bool:
        """Whether people or judges were shown whose outputs they graded, on either side; not so where nobody knows."""
        both = (self.of_baseline.grading, self.of_candidate.grading)
        return any(g.round is not None and g.round.blind is False and bool(g.people or g.judges) for g in both)

    @property
    def picked(self) -> bool:
        """Whether people were asked about outputs of a side for what a judge had said of them."""
        return self.of_baseline.grading.picked or self.of_candidate.grading.picked

    @cached_property
    def items(self) -> tuple[ItemResult, ...]:
        """The items, as they stand in the candidate's run."""
        return self.of_candidate.outputs

    @property
    def sides(self) -> tuple[ModelResult, ModelResult]:
        """Baseline and candidate as the report shows them."""
        return self.of_baseline.model(self.baseline), self.of_candidate.model(self.candidate)

    @property
    def epochs(self) -> int:
        """Trials planned for each item."""
        return 1 if self.halves else max(self.of_baseline.spec.epochs, self.of_candidate.spec.epochs)

    @property
    def item_usd(self) -> float | None:
        """What an item costs in the mean, all epochs of both sides and judges, USD; None where any is unpriced."""
        then, now = _trial_usd(self.of_baseline, self.baseline), _trial_usd(self.of_candidate, self.candidate)
        return None if then is None or now is None else self.epochs * (then + now)

    @cached_property
    def unsettled(self) -> tuple[int, int]:
        """Trials of each side that failed on every attempt so far: an outage is nothing that a model does."""
        sides = ((self.of_baseline, self.baseline), (self.of_candidate, self.candidate))
        then, now = (
            sum(o.model == model and o.failed_so_far for item in analysis.outputs for o in item.outputs)
            for analysis, model in sides
        )
        return then, now

    def outputs(self, part: frozenset[str] | None = None) -> tuple[Mapping[str, list[OutputResult]], ...]:
        """Each side's trials by item, without a verdict on those that are not settled, nor on those that people could
        not tell where they were asked about all, or for what a judge had said. `part`: only these items."""
        sides = ((self.of_baseline, self.baseline), (self.of_candidate, self.candidate))
        found = []
        for (analysis, model), epochs in zip(sides, self.epochs_of or (None, None), strict=True):
            side: dict[str, list[OutputResult]] = {}
            for item in analysis.outputs:
                if part is None or item.id in part:
                    taken = None if epochs is None else epochs(item.id)
                    side[item.id] = [
                        self._known(o) for o in item.outputs if o.model == model and taken in (None, o.epoch)
                    ]
            found.append(side)
        return tuple(found)

    @property
    def epochs_of(self) -> tuple[Epochs, Epochs] | None:
        """The epoch of each item that each side is taken from, where a model is compared with itself.

        They change places on half of the items, by the run's seed: a run sends one epoch after the other, so that taken
        as they are, two hours would be compared, and the first epoch would write the cache that the second reads.
        """
        if self.halves is None:
            return None
        halves, swapped = self.halves, self._swapped
        return lambda item: halves[item in swapped], lambda item: halves[item not in swapped]

    @cached_property
    def _swapped(self) -> frozenset[str]:
        order = in_drawing_order([item.id for item in self.of_baseline.outputs], self.of_baseline.spec.seed)
        return frozenset(order[::2])

    def _known(self, output: OutputResult) -> OutputResult:
        if output.failed_so_far:
            return replace(output, satisfied=None, decided_by=None, judge_satisfied=None)
        unsure = output.people_unsure and (self.picked or self._by_people_alone)
        if not unsure or output.decided_by in (None, "people"):
            return output
        judged = {criterion.id for criterion in self.rubric.judged}.difference(output.by_people)
        levels = {name: level for name, level in output.levels.items() if name not in judged}
        if self.rubric.satisfied(levels) is not False:
            return replace(output, satisfied=None, decided_by=None, levels=levels)
        by_check = output.decided_by == "check"  # bad, whatever of the rest
        return replace(output, satisfied=False, decided_by="check" if by_check else "people", levels=levels)

    @cached_property
    def _by_people_alone(self) -> bool:
        """Whether the judge's word stands for none but outputs that people could not tell."""
        sides = ((self.of_baseline, self.baseline), (self.of_candidate, self.candidate))
        outputs = (
            o for analysis, model in sides for item in analysis.outputs for o in item.outputs if o.model == model
        )
        return all(output.decided_by != "judge" or output.people_unsure for output in outputs)

    def paired(self, measure: Measure, part: frozenset[str] | None = None) -> Paired:
        """Item means of both sides on the items where both have a number: the item is the unit."""
        sides = self._numbers(measure, part)
        then, now = ({i: [n for n in trials if n is not None] for i, trials in side.items()} for side in sides)
        both = tuple(item for item in then if then[item] and now.get(item))
        return pairs_of(both, then, now, (count(then, both), count(now, both)), self.planned(part))

    def shares(self, measure: Measure, part: frozenset[str] | None = None) -> Paired:
        """The same of a measure that is 1 for good and 0 for bad, with what it comes to at its `worst` and `best`."""
        found, (then, now) = self.paired(measure, part), self._numbers(measure, part)
        known = tuple(sum(n is not None for trials in side.values() for n in trials) for side in (then, now))
        if known == self.planned(part):
            return found
        seen = {i for side in self.outputs(part) for i, of in side.items() if any(o.people_unsure for o in of)}
        begun = tuple(i for i in then if i in seen or {*then[i], *now[i]} != {None})

        def filled(items: tuple[str, ...], *missing: float) -> Paired:
            sides = zip((then, now), missing, strict=True)
            before, after = ({i: [end if n is None else n for n in of[i]] for i in items} for of, end in sides)
            return pairs_of(items, before, after, (known[0], known[1]), self.planned(part))

        return replace(found, worst=filled(tuple(then), 1.0, 0.0), best=filled(begun, 0.0, 1.0))

    def _numbers(self, measure: Measure, part: frozenset[str] | None) -> tuple[Mapping[str, list[float | None]], ...]:
        """Each side's numbers by item, None for a trial without one, and for one that its side has of other items."""
        found = []
        for side, most in zip(self.outputs(part), self._most, strict=True):
            numbers = {i: [measure(o) if o.settled else None for o in outputs] for i, outputs in side.items()}
            found.append({i: [*known, *[None] * (most - len(known))] for i, known in numbers.items()})
        return tuple(found)

    @cached_property
    def _most(self) -> tuple[int, ...]:
        """The most trials that each side has of an item, 1 at least."""
        return tuple(max([1, *map(len, side.values())]) for side in self.outputs())

    def planned(self, part: frozenset[str] | None = None) -> tuple[int, int]:
        """Trials of each side, of these items: as many of each as its side has of any."""
        items = len(self.items) if part is None else len(part)
        return self._most[0] * items, self._most[1] * items

    def part(self, name: str) -> frozenset[str]:
        """The items of a slice, named by difficulty or tag."""
        return part_of(self.items, name)

    @property
    def unheard(self) -> str | None:
        """Who can give the outputs their verdict that a dropped judge graded alone, however often it is asked; None
        where no judge is dropped."""
        dropped = {*self.of_baseline.grading.dropped, *self.of_candidate.grading.dropped}
        if not dropped:
            return None
        outputs = sum(model.counts.answered for model in self.of_candidate.models)  # fewer are a sample
        judges = (one for one in self.of_candidate.judges if one.judge in dropped and _may_be_good(one))
        labels = max((one.outputs for one in judges), default=0)
        more = f" more of a sample, which may show it to be better (`--calibrate {2 * labels}`), or"
        more = more if 0 < 2 * labels < outputs else ""
        return (
            f"verdicts of outputs that {listing(sorted(dropped))} graded alone, which decide nothing: let people"
            f" grade{more} all (`evalkit grade --blind --calibrate {outputs}`), or another judge"
            " (`--by judges --judge MODEL`)"
        )

    @property
    def remedy(self) -> str:
        """What brings the trials and figures that are missing; `unheard` where a judge was dropped."""
        if self.unheard:
            return self.unheard
        if untold := self._untold:
            outputs = f"the {plural(untold, 'output')}" if untold > 1 else "the one output"
            if not self._untold_apart:
                return f"let somebody else grade {outputs} that people could not tell (`evalkit grade --blind`)"
            first, then = ("--blind --by judges", "--discordant") if self.picked else ("--close", "--blind")
            return (  # since whoever graded these alone would grade more of one side
                f"people could not tell {outputs} without a verdict: let people who can tell both sides grade them all"
                f" in a new round (`evalkit grade {first}`, then `evalkit grade {then}`)"
            )
        if self.of_baseline.spec.imported or self.of_candidate.spec.imported:
            return "import the trials that are missing (`evalkit import`), and repeat `evalkit grade`"
        return REPEAT

    @property
    def _untold(self) -> int:
        """Outputs that lack a verdict since people could not tell, if all does that lacks one: 0 otherwise."""
        lacking = [o for side in self.outputs() for trials in side.values() for o in trials if o.satisfied is None]
        return len(lacking) if all(o.settled and o.people_unsure for o in lacking) else 0

    @property
    def _untold_apart(self) -> bool:
        """Whether so many are of one side, of all or of a slice, that others who graded these would be refused."""
        slices = (frozenset(i.id for i in self.items if name in (i.difficulty, *i.tags)) for name in self.slices)
        for part in (frozenset(i.id for i in self.items), *slices):
            sides = zip(self.outputs(part), self._most, strict=True)
            then, now = (sum(o.satisfied is None for of in side.values() for o in of) / most for side, most in sides)
            if abs(now - then) > max(UNLIKE * len(part), FEWEST_APART - 1):
                return True
        return False

    @property
    def people_apart(self) -> str | None:
        """That people graded one side after the other, if so: nothing kept them from knowing which model it was."""
        if self.together or not self.of_candidate.grading.people:
            return None
        if self.baseline == self.candidate:
            return f"people {APART}"
        return (
            "people graded the two sides apart and may have known which model they graded: join the files with"
            " `evalkit merge`, then `evalkit grade --blind`"
        )


def _trial_usd(analysis: Analysis, name: str) -> float | None:
    """What a trial of a model cost, with an even share of what judges cost."""
    model, judged = analysis.model(name), sum(model.counts.answered for model in analysis.models)
    ended = model.counts.planned - model.counts.pending
    if not ended or model.spend_usd is None or analysis.grading.round_usd is None or analysis.sweep:  # of one size
        return None
    judging = analysis.grading.round_usd * model.counts.answered / max(1, judged)
    return (model.spend_usd + judging) / ended


def _may_be_good(judge: JudgeValidity) -> bool:
    """Whether a judge that is dropped seems to be good enough, on too few labels to tell."""
    return (judge.accuracy.youden.value or 0.0) > LEAST_YOUDEN


def satisfied(output: OutputResult) -> float | None:
    """1 for a satisfactory output, 0 for another and for a trial that ended without one; None while ungraded."""
    return None if output.satisfied is None else float(output.satisfied)


def evidence_of(baseline: Analysis, candidate: Analysis, baseline_model: str, candidate_model: str) -> Evidence:
    """The evidence, once it is sure that the two sides may be compared.

    Raises IntegrityError if dataset, rubric, prompt, context or graders differ, or if files were merged and not
    graded together since, UsageError for one model against itself in the same run, and for a run whose items were
    chosen by what a model did with them.
    """
    for analysis in (baseline, candidate):
        _refuse_chosen(analysis)
    if baseline is candidate and baseline_model == candidate_model:
        raise UsageError(f"baseline and candidate are both {candidate_model!r}; name two models, or use --aa")
    _refuse_others(baseline, candidate)
    for analysis, model in ((baseline, baseline_model), (candidate, candidate_model)):
        _refuse_graded_apart(analysis, model)
    return Evidence(baseline, candidate, baseline_model, candidate_model)


def against_itself(analysis: Analysis, model: str) -> Evidence:
    """A model's first epoch against its second, on half of the items the second against the first: these must not
    differ but by chance.

    UsageError for a run of one epoch, and as for `evidence_of`.
    """
    _refuse_chosen(analysis)
    if analysis.spec.epochs < 2:
        raise UsageError("a model can be compared with itself over two epochs; run with --epochs 2, or name two runs")
    _refuse_graded_apart(analysis, model)
    return Evidence(analysis, analysis, model, model, (1, 2))


def _refuse_chosen(analysis: Analysis) -> None:
    if analysis.spec.condition is not None:
        raise UsageError("a run on chosen items shows nothing about the workload; gate a whole run")


def _refuse_graded_apart(analysis: Analysis, model: str) -> None:
    """What checks alone find of outputs that graders never saw beside the others would be no fair sample of them."""
    if not analysis.grading.merged:
        return
    judged = {criterion.id for criterion in Rubric.read_back(analysis.spec.rubric).judged}
    of_model = [o for item in analysis.outputs for o in item.outputs if o.model == model and o.outcome == "answered"]
    unseen = sum(not judged <= {*output.levels, *output.ungraded} for output in of_model)
    if unseen:
        who = "have people grade both sides together" if analysis.grading.people else "grade both sides together"
        raise IntegrityError(
            f"{unseen:,} of {len(of_model):,} outputs of {model} were in another file when round"
            f" {analysis.grading.round.id if analysis.grading.round else 0} was graded, or were left blank in it; {who}"
            " with `evalkit grade --blind`"
        )


def _refuse_others(baseline: Analysis, candidate: Analysis) -> None:
    filled = baseline.spec.context_tokens is not None or bool(baseline.spec.contexts)
    for name in (*_SAME, "seed") if filled else _SAME:  # the seed draws what a context is filled with
        then, now = getattr(baseline.spec, name), getattr(candidate.spec, name)
        if then != now:
            what = _CALLED.get(name, name.removesuffix("_sha256"))
            raise IntegrityError(
                f"baseline and candidate have another {what} ({_brief(then)}, {_brief(now)}); run both on the same one"
            )
    then_graders, now_graders = _graders(baseline), _graders(candidate)
    if then_graders != now_graders:
        raise IntegrityError(
            f"baseline and candidate were graded by others ({', '.join(then_graders) or 'nobody'}; "
            f"{', '.join(now_graders) or 'nobody'}); grade both alike"
        )
    then, now = ({item.id: item for item in analysis.outputs} for analysis in (baseline, candidate))
    if set(then) != set(now):
        raise IntegrityError("baseline and candidate were run on other items; run both on the same ones")
    for item in then.values():  # a context is filled up to what fits every model of its run
        other = now[item.id]
        if (item.documents, item.evidence_positions) != (other.documents, other.evidence_positions):
            raise IntegrityError(
                f"baseline and candidate were given other documents with item {item.id!r}; run both models in one run"
            )


def refuse_shared_requests(then: Snapshot, baseline: str, now: Snapshot, candidate: str) -> None:
    """IntegrityError where two run files hold answers to the same requests, as a copy does: whatever is compared with
    itself comes out equal."""
    ids = _request_ids(then, baseline)
    shared = [request_id for request_id in _request_ids(now, candidate) if request_id in ids]
    if shared:
        raise IntegrityError(
            f"baseline and candidate hold answers to the same requests ({len(shared):,}, first {shared[0]!r}), as"
            " copies of one run do; run both apart, or compare two epochs of one run with --aa"
        )


def _request_ids(snapshot: Snapshot, model: str) -> dict[str, None]:
    """What the server called the requests of production that one model answered; imports may not know it."""
    own = {trial.id for trial in snapshot.trials if trial.key.model == model}
    asked = (a.request_id for a in snapshot.attempts if a.grader is None and a.trial_id in own)
    return dict.fromkeys(request_id for request_id in asked if request_id)


def _graders(analysis: Analysis) -> list[str]:
    """Judges with the prompt they were asked by, and people: another person may be stricter."""
    prompts = {one.judge: one.judge_prompt_sha256 for one in analysis.validity}
    judges = [f"{judge} ({_brief(prompts.get(judge))})" for judge in sorted(analysis.grading.judges)]
    return [*judges, *sorted(analysis.grading.people)]


def _brief(value: object) -> str:
    return value[:12] if isinstance(value, str) else str(value)
