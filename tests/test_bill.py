"""The bill: what is left to pay, expected and at worst, by what has been seen; unknown prices make no total."""

import json
from datetime import UTC, datetime

import pytest

from evalkit.bill import TYPICAL_OUTPUT_TOKENS, Bill, Line, judge_line, request_usd, run_bill
from evalkit.dataset import Dataset
from evalkit.plan import trial_order
from evalkit.records import ItemRecord, PromptSize, Spec, TrialKey
from evalkit.rubric import Rubric
from tests.analysis_builders import PASS_OR_FAIL, Book, answered
from tests.analysis_builders import spec as run_spec
from tests.builders import dataset, item

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OPUS, HAIKU = "claude-opus-4-6", "claude-haiku-4-5"


def spec(*models: str, max_tokens: int = 1000) -> Spec:
    return Spec(
        name="r", dataset_sha256="", rubric_sha256="", prompt_sha256="", models=models, epochs=1, seed=1,
        context_tokens=None, limit=None, endpoint="", simulated=True, max_tokens=max_tokens, rubric={},
        package_version="", prices_version="", created_at="",
    )  # fmt: skip


def records(made: Dataset) -> dict[str, ItemRecord]:
    return {row.id: ItemRecord(row.id, n, row.task, None, None, None, ()) for n, row in enumerate(made.items)}


def lines(made: Dataset, keys: list[TrialKey], of: Spec, sizes: list[PromptSize]) -> tuple[Line, ...]:
    return run_bill(made, records(made), keys, of, sizes, NOW)


def test_worst_case_is_a_full_answer() -> None:
    assert request_usd(OPUS, 50_000, 800, NOW) == pytest.approx(0.27)
    assert request_usd("nobody", 50_000, 800, NOW) is None


def test_a_line_sums_the_trials_of_its_model() -> None:
    made = dataset(item("a"), item("b", params={"max_tokens": 200}))
    keys = list(trial_order(["a", "b"], [OPUS, HAIKU], 2, 1))
    sizes = [PromptSize(i, m, 10_000 if i == "a" else 20_000, m == OPUS) for i in "ab" for m in (OPUS, HAIKU)]
    opus, haiku = lines(made, keys, spec(OPUS, HAIKU), sizes)
    assert (opus.model, opus.requests, opus.input_tokens, opus.counted, opus.seen) == (OPUS, 4, 60_000, True, 0)
    assert opus.worst_usd == pytest.approx(60_000 * 5e-6 + 2 * 1200 * 25e-6)
    assert opus.expected_usd == pytest.approx(60_000 * 5e-6 + 2 * (TYPICAL_OUTPUT_TOKENS + 200) * 25e-6)
    assert haiku.counted is False


def test_an_unpriced_model_is_unknown_not_free_and_makes_no_total() -> None:
    sizes = [PromptSize("a", model, 10, True) for model in ("nobody", HAIKU)]
    keys = [TrialKey("a", "nobody", 1), TrialKey("a", HAIKU, 1)]
    nobody, haiku = lines(dataset(item("a")), keys, spec("nobody", HAIKU), sizes)
    assert (nobody.requests, nobody.input_tokens, nobody.expected_usd, nobody.worst_usd) == (1, 10, None, None)
    assert Bill((nobody, haiku)).total_usd("worst") is None
    assert Bill((haiku,)).total_usd("worst") == haiku.worst_usd


def test_no_trials_cost_nothing() -> None:
    (only,) = lines(dataset(), [], spec(OPUS), [])
    assert (only.requests, only.expected_usd, only.worst_usd) == (0, 0, 0)


def test_what_the_run_file_has_seen_replaces_the_assumption() -> None:
    book = Book(run_spec((OPUS, HAIKU)))
    for name in "ab":
        book.trial(name, answered(latency_s=4.0), model=OPUS)  # 100 tokens, felt 6 s
    made = dataset(item("a"))
    sizes = [PromptSize("a", model, 1000, True) for model in (OPUS, HAIKU)]
    keys = [TrialKey("a", OPUS, 2), TrialKey("a", HAIKU, 2)]
    opus, haiku = run_bill(made, records(made), keys, spec(OPUS, HAIKU), sizes, NOW, book.snapshot())
    assert (opus.seen, opus.output_tokens, opus.seconds) == (2, 100, 6.0)
    assert opus.expected_usd == pytest.approx(1000 * 5e-6 + 100 * 25e-6)
    assert (haiku.seen, haiku.output_tokens) == (0, TYPICAL_OUTPUT_TOKENS)
    assert Bill((opus, haiku)).seconds(2) == pytest.approx((6.0 + haiku.seconds) / 2)


def test_the_judge_is_asked_once_an_output_and_is_part_of_the_total() -> None:
    rubric = Rubric.model_validate_json(json.dumps(PASS_OR_FAIL))
    made = dataset(item("a"), item("b"))
    outputs = [("a", 100.0), ("b", 100.0), ("b", 10_000.0)]
    judge = judge_line("claude-sonnet-5-5", rubric, records(made), outputs, NOW)
    assert judge is not None
    assert (judge.requests, judge.counted) == (3, False)
    assert 10_200 < judge.input_tokens < 13_000
    assert judge.expected_usd is not None
    assert judge.worst_usd is not None
    assert judge.expected_usd < judge.worst_usd
    assert Bill((), judge).total_usd("worst") == judge.worst_usd


def test_a_rubric_of_checks_alone_has_no_judge_to_pay() -> None:
    check = {"id": "right", "question": "?", "kind": "check", "check": {"type": "exact"}}
    rubric = Rubric.model_validate_json(json.dumps({**PASS_OR_FAIL, "criteria": [check]}))
    assert judge_line("claude-sonnet-5-5", rubric, {}, [], NOW) is None
