"""Doubts about a dataset: each is told with its line, and a good set has none."""

from pathlib import Path

import pytest

from evalkit.cli import main
from evalkit.config import Config
from evalkit.dataset import Card, Dataset, Item
from evalkit.dataset_check import beyond_windows, doubts, effect_line
from evalkit.dataset_files import read_dataset
from evalkit.files import find_rubric, read_rubric
from evalkit.rubric import Check, Rubric
from tests.builders import checked, dataset, item, judged, rubric

PATH = Path("set.jsonl")
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def rows(n: int, **fields: object) -> list[Item]:
    """Items of unlike words, a third of each difficulty, all with a reference."""
    usual = [{"reference": "r", "difficulty": difficulty} for difficulty in ("easy", "medium", "hard")]
    return [
        item(f"i{k}", f"word{k} other{k} more{k} last{k}", **usual[k % 3] | fields)
        for k in range(n)
    ]  # fmt: skip


def told(made: Dataset, against: Rubric | None = None) -> list[str]:
    return [
        str(problem).removeprefix("set.jsonl:") for problem in doubts(PATH, made, against.criteria if against else ())
    ]


@pytest.mark.parametrize("n", [50, 100])
def test_good_set_has_no_doubts(n: int) -> None:
    assert told(dataset(*rows(n)), rubric(judged(), checked("c", Check(type="exact")))) == []


@pytest.mark.parametrize("name", ["contract-clauses", "support-replies", "ticket-routing"])
def test_shipped_set_has_no_doubts(root: Path, name: str) -> None:
    path = root / "datasets" / f"{name}.jsonl"
    made = read_dataset(path)
    assert doubts(path, made, read_rubric(find_rubric(path, Config())).criteria) == []


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (1, "1: warning: only 1 item; 50 to 100 are advised; intervals are wide"),
        (49, "1: warning: only 49 items; 50 to 100 are advised; intervals are wide"),
        (101, "1: warning: 101 items, more than the advised 100;"
              " fine for statistics; mind cost and grading time, or use --limit"),
    ],
)  # fmt: skip
def test_size_outside_the_advice(n: int, said: str) -> None:
    assert said in told(dataset(*rows(n)))


def test_items_with_errors_count_towards_the_size() -> None:
    assert doubts(PATH, dataset(*rows(49)), (), unread=1) == []


def test_a_prompt_beyond_a_models_window_is_told() -> None:
    long = item("long", "word " * 200_000, reference="r")
    made = dataset(*rows(2), long, evidence={"i0": ("d",)}, documents={"d": "x" * 860_000})
    found = beyond_windows(PATH, made, ["claude-haiku-4-5-20251001", "claude-opus-4-6", "nobody-knows-it"])
    assert [str(problem) for problem in found] == [
        "set.jsonl:1: warning: item 'i0' and 1 other item: about 204,768 tokens do not fit the window of model"
        " 'claude-haiku-4-5-20251001' (200,000); shorten the prompt or leave the model out"
    ]


@pytest.mark.parametrize(
    ("difficulties", "said"),
    [
        ([None], ["no item states its difficulty"]),
        (["easy", "medium", "hard", None], ["no difficulty is stated for 1 item"]),
        (["hard", None, None], ["no difficulty is stated for 2 items"]),
        (["easy", "easy", "hard"], ["67% of the items are easy"]),
        (["easy", "medium"], ["no item is hard"]),
        (["easy", "easy", "easy", "hard", "hard"], []),
        (["hard"], []),
    ],
)
def test_mix_of_difficulty(difficulties: list[str | None], said: list[str]) -> None:
    made = dataset(*(item(f"i{n}", f"{word} a{n} b{n} c{n}", reference="r", difficulty=d)
                     for n, (word, d) in enumerate(zip(WORDS, difficulties, strict=False))))  # fmt: skip
    found = [problem.what for problem in doubts(PATH, made, ()) if not problem.what.startswith("only")]
    assert found == said


LONG = " ".join(f"w{n}" for n in range(40))


def turns_with(url: str, *, of_a_tool: bool = False) -> list[dict[str, object]]:
    """A conversation whose last turn shows a document, perhaps as the result of a tool."""
    shown = {"type": "document", "source": {"type": "url", "url": f"http://127.0.0.1/{url}"}}
    called = {"type": "tool_use", "id": "t1", "name": "read", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [shown]}
    return [
        {"role": "user", "content": "Wait for it."},
        {"role": "assistant", "content": [called] if of_a_tool else "Yes."},
        {"role": "user", "content": [result if of_a_tool else shown, {"type": "text", "text": "What does it cost?"}]},
    ]


@pytest.mark.parametrize(
    ("first", "second", "severity"),
    [
        ({"input": "Where is it?"}, {"input": "where  IS it?"}, "error"),
        ({"input": LONG}, {"input": LONG.replace("w39", "x")}, "warning"),
        ({"input": "a b"}, {"input": "A, b!"}, "warning"),
        ({"input": LONG}, {"input": LONG.replace("w20", "x").replace("w10", "y").replace("w30", "z")}, None),
        ({"input": "a b"}, {"input": "a c"}, None),
        ({"input": "!"}, {"input": "?"}, None),
        ({"input": LONG, "documents": ["d"]}, {"input": LONG, "documents": ["e"]}, None),
        ({"input": LONG, "system": "s"}, {"input": LONG, "system": "t"}, None),
        ({"input": LONG, "attachments": ["a.png"]}, {"input": LONG, "attachments": ["b.png"]}, None),
        ({"input": LONG, "documents": ["d"]}, {"input": LONG, "documents": ["d"]}, "error"),
        ({"input": turns_with("a.pdf")}, {"input": turns_with("b.pdf")}, None),
        ({"input": turns_with("a.pdf", of_a_tool=True)}, {"input": turns_with("b.pdf", of_a_tool=True)}, None),
        ({"input": turns_with("a.pdf")}, {"input": turns_with("a.pdf")}, "error"),
    ],
)
def test_repeats(first: dict[str, object], second: dict[str, object], severity: str | None) -> None:
    pair = [item("i1", reference="r", **first), item("i2", reference="r", **second)]
    evidence = {row.id: tuple(str(name) for name in row.documents) for row in pair}
    made = dataset(*pair, documents={"d": "D", "e": "E"}, evidence=evidence)
    found = [problem for problem in doubts(PATH, made, ()) if "same" in problem.what]
    assert [(problem.line, problem.severity) for problem in found] == ([(2, severity)] if severity else [])


def test_nearly_the_same_names_the_other_items_line() -> None:
    assert (
        "2: warning: item 'i2' is nearly the same as 'i1' (line 1); remove or vary one; repeats count as one item"
        in told(dataset(item("i1", LONG, reference="r"), item("i2", LONG + " x", reference="r")))
    )


def test_phrases_of_the_trade_are_no_signs_of_copying() -> None:
    many = [item(f"i{n}", "please answer this kindly", reference="r", tags=[str(n)]) for n in range(60)]
    unlike = [
        item(f"j{n}", f"please answer this kindly u{n} v{n} w{n} x{n} y{n} z{n}", reference="r") for n in range(60)
    ]
    found = [problem for problem in doubts(PATH, dataset(*many, *unlike), ()) if "same" in problem.what]
    assert {problem.what.split("'")[1][0] for problem in found} == {"i"}


EXACT, NUMERIC = checked("e", Check(type="exact")), checked("n", Check(type="numeric"))
FIELD = checked("f", Check(type="exact", field="queue"))


@pytest.mark.parametrize(
    ("reference", "against", "said"),
    [
        (None, None, "warning: item 'a' has no reference; add one, so that graders judge by the same facts"),
        (None, rubric(judged()),
         "warning: item 'a' has no reference; add one, so that graders judge by the same facts"),
        (None, rubric(checked(check=Check(type="exact", value="yes"))),
         "warning: item 'a' has no reference; add one, so that graders judge by the same facts"),
        (None, rubric(checked(check=Check(type="regex", pattern="a"))),
         "warning: item 'a' has no reference; add one, so that graders judge by the same facts"),
        (None, rubric(EXACT, NUMERIC),
         "item 'a' cannot be checked: the item has no reference to check against; correct 'reference'"),
        ("twelve", rubric(NUMERIC),
         "item 'a' cannot be checked: the expected value 'twelve' is not a number; correct 'reference'"),
        ("billing", rubric(FIELD),
         "item 'a' cannot be checked: the item's reference has no JSON field 'queue'; correct 'reference'"),
        ("12", rubric(EXACT, NUMERIC), None),
        ('{"queue": "billing"}', rubric(FIELD), None),
        ("any", rubric(judged()), None),
    ],
)  # fmt: skip
def test_reference_must_serve_the_checks(reference: str | None, against: Rubric | None, said: str | None) -> None:
    found = [line for line in told(dataset(item(reference=reference)), against) if "'a'" in line]
    assert found == ([f"1: {said}"] if said else [])


def test_context_that_the_documents_cannot_fill() -> None:
    made = dataset(*rows(50), card=Card(context_tokens=10_000), documents={"d": "x" * 4200})
    said = "1: warning: production context is 10,000 tokens, but all documents together make about 1,006"
    assert [line.partition(";")[0] for line in told(made)] == [said]


def test_item_over_the_context_is_an_error_on_its_line() -> None:
    long = item("long", "y" * 84_000, reference="r", difficulty="hard")
    made = dataset(*rows(49), long, card=Card(context_tokens=1_000), documents={"d": "x" * 4200},
                   evidence={"long": ("d",)})  # fmt: skip
    assert told(made) == [
        "50: item 'long' alone makes about 21,000 tokens, over the context of 1,000; shorten it or raise context_tokens"
    ]


@pytest.mark.parametrize("tokens", [None, 900, 1_000])
def test_context_that_can_be_filled_is_no_doubt(tokens: int | None) -> None:
    assert told(dataset(*rows(50), card=Card(context_tokens=tokens), documents={"d": "x" * 4200})) == []


def test_empty_dataset_is_doubted_without_a_crash() -> None:
    empty = Dataset("set", (), Card(context_tokens=5))
    assert told(empty)[-1] == "1: warning: only 0 items; 50 to 100 are advised; intervals are wide"


@pytest.mark.parametrize(
    ("n", "parts"),
    [
        (50, ("50 items:", "67% to 89%", "21.0 points")),
        (1, ("1 item:", "no difference between two models, however large, shows")),
    ],
)
def test_effect_line_says_what_the_size_can_show(n: int, parts: tuple[str, ...]) -> None:
    line = effect_line(dataset(*rows(n)))
    assert all(part in line for part in parts), line


@pytest.mark.parametrize(
    ("policy", "epochs", "code", "told"),
    [
        ("quality: {margin: 0.1}\n", 1, 0, "gate.yaml: at 10 points, 2 items cannot pass when the two never differ; "),
        ("quality: {margin: 0.1}\n", 3, 0, "gate.yaml: at 10 points, 2 items cannot pass when the two never differ; "),
        (
            "completeness: {}\n",
            1,
            0,
            "gate.yaml: the policy does not ask for quality, so nothing is said of it; add `quality",
        ),
        ("quality: {marginn: 0.1}\n", 1, 2, "error: gate.yaml:1: unknown key 'marginn'; did you mean 'margin'?"),
        ("alpha: 0.1\n", 1, 2, "error: gate.yaml:1: the policy asks for no check"),
        (None, 1, 2, "error: policy 'gate.yaml' does not exist; check the path"),
    ],
)
def test_a_policy_is_checked_with_the_set_that_its_gate_will_have(
    policy: str | None, epochs: int, code: int, told: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("small.jsonl").write_text('{"id": "a", "input": "Where?"}\n{"id": "b", "input": "When?"}\n', encoding="utf-8")
    if policy is not None:
        Path("gate.yaml").write_text(policy, encoding="utf-8")
    assert main(["check", "small.jsonl", "--policy", "gate.yaml", "--epochs", str(epochs)]) == code
    said = capsys.readouterr()
    assert told in said.out + said.err
