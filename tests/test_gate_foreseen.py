"""What is said of a gate before anything is spent: a policy that is wrong, names that are not there, sets too small."""

from pathlib import Path
from typing import Any

import pytest
from analysis_builders import write_run
from gates import run, table
from servers import recorded
from test_run import command, run_files, tiny

from evalkit.checks import served_model
from evalkit.cli import main
from evalkit.errors import ProblemsError
from evalkit.gating.foreseen import foreseen
from evalkit.gating.naming import NotThereError, Planned
from evalkit.gating.policy import NO_QUALITY, check_modules, read_policy
from tests.builders import checked, item, judged

__all__ = ["tiny"]  # a fixture

HARD = [item(f"h{n}", difficulty="hard", tags=["refunds"]) for n in range(20)]
EASY = [item(f"e{n}", difficulty="easy") for n in range(80)]
CRITERIA = (judged("policy", critical=1), judged("tone"), checked("shape"))


def told(text: str, items: Any = (*HARD, *EASY), criteria: Any = CRITERIA, epochs: int = 1) -> list[str]:
    return foreseen(read_policy(text, "gate.yaml"), named_at, Planned(items, criteria), epochs)


def named_at(error: NotThereError) -> str:
    return "gate.yaml:" + ".".join(map(str, error.place))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("quality: {margin: 0.1, slices: {nope: 0.1}}", ["quality.slices.nope", "use one of: easy, hard, refunds"]),
        ("quality: {margin: 0.1, slices: {refund: 0.1}}", ["slice 'refund'", "did you mean 'refunds'?"]),
        ("quality: {margin: 0.1, criteria: {tone: 0.1}}", ["quality.criteria.tone", "use one of: policy"]),
        ("output_format: {criteria: [shape, polite]}", ["output_format.criteria.1", "'polite'", "use one of: shape"]),
        ("output_format: {}", ["gate.yaml:output_format: ", "no check of form"]),
        ("quality: {margin: 0.1, slices: {nix: 0.1}}\noutput_format: {}", ["slice 'nix'", "no check of form"]),
    ],
)
def test_names_that_are_not_there_are_told_all_at_once(text: str, said: list[str]) -> None:
    with pytest.raises(ProblemsError) as caught:
        told(text)
    assert all(problem.startswith("gate.yaml:") for problem in caught.value.problems)
    assert all(part in str(caught.value) for part in said)


def test_of_many_names_a_message_lists_the_commonest() -> None:
    items = [item(f"i{n}", difficulty="hard", tags=[f"only-{n}", "refunds"]) for n in range(60)]
    with pytest.raises(ProblemsError) as caught:
        told("quality: {margin: 0.1, slices: {zzz: 0.1}}", items)
    assert str(caught.value).endswith(
        "use one of: hard, refunds, only-0, only-1, only-2, only-3, only-4, only-5 and 54 more"
    )


def test_where_no_name_would_do_it_says_that_there_are_none() -> None:
    for text, criteria, remedy in (
        ("quality: {margin: 0.1, slices: {nix: 0.1}}", CRITERIA, "no item has a difficulty or a tag, so take it out"),
        ("quality: {margin: 0.1, criteria: {nix: 0.1}}", [judged()], "none is critical there, so take it out"),
        ("agreement: {}", [checked("shape")], "the rubric has checks alone; drop agreement from the policy"),
        ("output_format: {criteria: [nix]}", [judged()], "it has none, so drop output_format"),
    ):
        with pytest.raises(ProblemsError, match=remedy):
            told(text, [item()], criteria)


def test_criteria_of_a_rubric_that_is_not_known_yet_are_not_judged() -> None:
    assert told("quality: {margin: 0.1, criteria: {tone: 0.1}}", criteria=None)


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("looks", ["[0.5, 0.75, 1.0]", "[0.3, 0.6, 1.0]", "[0.2, 0.4, 0.6, 0.8, 1.0]"])
def test_as_many_items_as_are_said_to_pass_with_looks_do(looks: str, epochs: int) -> None:
    text = f"alpha: 0.2\nquality: {{margin: 0.1}}\nsequential: {{looks: {looks}}}"
    for size in range(10, 34):
        hopeless = [
            line for line in told(text, [item(f"i{n}") for n in range(size)], epochs=epochs) if "never differ" in line
        ]
        if hopeless:
            enough = int(hopeless[0].split("; ")[1].split()[0])
            more = told(text, [item(f"i{n}") for n in range(enough)], epochs=epochs)
            assert enough > size
            assert not [line for line in more if "never differ" in line]


@pytest.mark.parametrize(
    ("text", "epochs", "lines"),
    [
        ("quality: {margin: 0.5}", 3, []),
        ("quality: {margin: 0.02}", 3, ["at 2 points, 100 items cannot pass when the two never differ; 135 can"]),
        (
            "quality: {margin: 0.5, slices: {hard: 0.1, easy: 0.1}}", 3,
            ["quality: hard: at 10 points, 20 items cannot pass when the two never differ; 27 can"],
        ),
        ("refusals: {margin: 0.02}", 3, [NO_QUALITY, "refusals: at 2 points, 100 items cannot pass"]),
        ("truncations: {margin: 0.02}", 3, [NO_QUALITY, "truncations: at 2 points, 100 items cannot pass"]),
        ("output_format: {margin: 0.02, criteria: [shape]}", 3, [NO_QUALITY, "output_format: at 2 points, 100 items"]),
        ("completeness: {}\ncost_per_request: {}", 3, [NO_QUALITY]),
        ("quality: {margin: 0.1}", 1, ["to pass at 10 points it can lose at most 4 with 0 gained, 5 with 1, 6"]),
    ],
)  # fmt: skip
def test_what_so_many_items_can_pass_is_said_of_every_share(text: str, epochs: int, lines: list[str]) -> None:
    found = told(text, criteria=[checked("shape")], epochs=epochs)
    assert len(found) == len(lines), found
    assert all(line.startswith(start) for line, start in zip(found, lines, strict=True)), found


def test_a_quantile_that_takes_more_items_is_told_beforehand() -> None:
    text = "quality: {margin: 0.5}\nfelt_latency: {p50: 1.2, p90: 1.2}\nttft: {p90: 1.2}"
    few, enough = ([item(f"i{n}") for n in range(size)] for size in (39, 40))
    assert [line for line in told(text, few) if ": p90" in line] == [
        "felt_latency: p90: 39 items cannot pass; 40 can", "ttft: p90: 39 items cannot pass; 40 can",
    ]  # fmt: skip
    assert not any(": p90" in line for line in told(text, enough))


@pytest.mark.parametrize(("sample", "lines"), [(0, 2), (10, 1), (40, 0)])
def test_a_quantile_of_a_batch_is_foreseen_by_its_streamed_sample(
    sample: int, lines: int, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    policy = read_policy("felt_latency: {p50: 1.5, p90: 1.5}", "gate.yaml")
    said = [line for line in foreseen(policy, named_at, Planned(EASY, CRITERIA, sample), 1) if "felt" in line]
    assert len(said) == lines
    assert all(f"{sample} items streamed (`--latency-sample`) cannot pass" in line for line in said)
    (tmp_path / "gate.yaml").write_text("felt_latency: {p50: 1.5}\n")
    monkeypatch.chdir(tmp_path)
    with recorded() as server:
        argv = [part for part in command(tiny, server.url, "--executor", "batch", "--dry-run") if part != "-q"]
        assert main([*argv, *(["--latency-sample", str(sample)] if sample else [])]) == 0
    told_ = "".join(capsys.readouterr())
    assert "streamed (`--latency-sample`) cannot pass; 8 can" in told_


def test_a_cost_per_success_that_takes_more_items_is_told_beforehand() -> None:
    def lines(text: str, size: int) -> list[str]:
        return [line for line in told(text, [item(f"i{n}") for n in range(size)]) if "cost_per_satisfactory" in line]

    few = "items cannot pass when the two cost the same and never fail"
    assert lines("cost_per_satisfactory: {}", 20) == [f"cost_per_satisfactory: at 1.1× 20 {few}; 29 can"]
    assert not lines("cost_per_satisfactory: {}", 29)
    assert lines("cost_per_satisfactory: {}", 2) == [
        "cost_per_satisfactory: at 1.1× 2 items cannot pass when the two cost the same and never fail; 29 can"
    ]
    assert not lines("cost_per_satisfactory: {at_most: 0.5}", 20), "it asks for a cheaper one"
    (looked,) = lines("cost_per_satisfactory: {}\nsequential: {}", 29)
    assert looked.endswith("; 32 can")
    (close,) = lines("cost_per_satisfactory: {at_most: 1.001}", 20)
    assert close.endswith("; more than 1,000 can")


def test_what_graders_have_to_do_is_said_before_anything_is_paid_for() -> None:
    """A judge whom nobody has checked passes nothing, however many items there are, and one grader agrees with none."""
    text = "quality: {margin: 0.5}\nagreement: {}"
    assert [line.split(":")[0] for line in told(text)[-2:]] == ["quality", "agreement"]
    assert "people have to grade 30 of the outputs as well" in told(text)[-2]
    assert told("quality: {margin: 0.5}", criteria=[checked("shape")]) == told("quality: {margin: 0.5}")[:-1]
    assert not any("a judge alone" in line for line in told(text, criteria=None))


def test_looks_leave_the_last_one_less_error_to_pass_at() -> None:
    items = [item(f"i{n}") for n in range(59)]
    assert not any("items cannot pass" in line for line in told("quality: {margin: 0.05}", items))
    looks = told("quality: {margin: 0.05}\nsequential: {}", items)
    assert "59 items cannot pass when the two never differ; 62 can" in looks[0]


# --- a name with nothing behind it, and limits that allow anything ---


def test_a_bare_name_asks_for_its_defaults() -> None:
    bare = read_policy("served_model:\ncompleteness: ~\nagreement:\n", "gate.yaml")
    assert bare == read_policy("served_model: {}\ncompleteness: {}\nagreement: {}\n", "gate.yaml")
    assert len(list(bare.asked)) == 3
    assert read_policy("refusals:\nsequential:", "gate.yaml").sequential is not None


def test_a_bare_name_is_never_left_out() -> None:
    for name in check_modules():
        try:
            assert [m.__name__.split(".")[-1] for m, _ in read_policy(f"{name}:", "gate.yaml").asked] == [name]
        except ProblemsError as error:
            assert name in ("quality", "felt_latency", "ttft"), error  # noqa: PT017  only those have no default


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("completeness:\nquality:", "gate.yaml:2: key 'quality.margin' is missing; add it"),
        ("completeness: {}\nttft: ~", "gate.yaml:2: names neither 'p50' nor 'p90'"),
        ("quality: {margin: 0.999999999}", "'quality.margin' is 0.999999999; it must be less than or equal to 0.5"),
        ("quality: {margin: 0.1, slices: {a: 0.7}}", "'quality.slices.a' is 0.7; it must be less than or equal to 0.5"),
        ("refusals: {margin: 0.6}", "less than or equal to 0.5"),
        ("output_format: {margin: 0.6}", "less than or equal to 0.5"),
        ("quality: {margin: 1e-300}", "and this is text: leave quotes out, and write 1e-3 as 1.0e-3"),
        ("quality: {margin: 1.0e-300}", "it must be greater than or equal to 0.001"),
        ("quality: {margin: '0.1'}", "'quality.margin' is '0.1'; it must be a number, and this is text: leave quotes"),
        ("quality: {margin: few}", "'quality.margin' is 'few'; it must be a number"),
        ("completeness: {}\ncost_per_request: {at_most: 110}", "gate.yaml:2: 110 is more than 10 times the baseline"),
        ("completeness: {}\ncost_per_satisfactory: {at_most: 10.1}", "; write 1.10 for 10 % more"),
        ("felt_latency: {p50: 120}", "; write 1.10 for 10 % more"),
        ("ttft: {p50: 1.2, p90: 130}", "130 is more than 10 times the baseline"),
        ("served_model: {x: 1}", "unknown key 'x'; nothing can be set here, so take it out"),
    ],
)
def test_what_is_wrong_is_said_as_it_is(text: str, said: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        read_policy(text, "gate.yaml")
    assert said in str(caught.value)


# --- the commands ---


@pytest.mark.parametrize(
    ("policy", "more", "code", "said"),
    [
        ("quality: {margin: 0.1}", [], 0, "gate.yaml: at 10 points, 6 items cannot pass when the two never differ"),
        ("quality: {margin: 0.1}", ["--epochs", "3"], 0, "never differ; 27 can\n"),
        ("quality: {margn: 0.1}", [], 2, "gate.yaml:1: "),
        ("quality: {margin: 0.1, slices: {hard: 0.1}}", [], 2, "error: gate.yaml:1: the gate names a slice 'hard'"),
        ("quality: {margin: 0.1, criteria: {x: 0.1}}", [], 2, "error: gate.yaml:1: the gate names a criterion 'x'"),
        ("quality: {margin: 0.1}", ["--policy", "other.yaml"], 2, "policy 'other.yaml' does not exist"),
        (None, [], 0, "a gate without gate.yaml: at 10 points, 6 items cannot pass when the two never differ"),
    ],
)
def test_check_looks_at_the_policy_beside_the_set(
    policy: str | None, more: list[str], code: int, said: str, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if policy is not None:
        Path("gate.yaml").write_text(policy, encoding="utf-8")
    assert main(["check", str(tiny), *more]) == code
    found = capsys.readouterr()
    assert said in found.out + found.err


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("quality:\n  margin: 0.1\n  slices:\n    easy: 0.1\n    nope: 0.1\n", "gate.yaml:4: the gate names a slice"),
        ("# form\noutput_format:\n  criteria:\n    - polite\n", "gate.yaml:4: output_format names 'polite', no check"),
        ("completeness:\noutput_format:\n", "gate.yaml:2: output_format finds no check of form"),
    ],
)
def test_check_and_gate_say_on_which_line_a_policy_names_what_is_not_there(
    policy: str, said: str, tiny: Path, one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("gate.yaml").write_text(policy, encoding="utf-8")
    assert main(["check", str(tiny)]) == 2
    assert f"error: {said}" in capsys.readouterr().err
    assert main(["gate", str(one)]) == 2
    assert f"error: {said}" in capsys.readouterr().err


def test_a_run_beside_a_policy_that_cannot_be_read_sends_nothing(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded() as server:
        Path("gate.yaml").write_text("qualty: {margin: 0.1}", encoding="utf-8")
        assert main(command(tiny, server.url)) == 2
        assert "gate.yaml:1: unknown key 'qualty'" in capsys.readouterr().err
        assert (server.messages(), run_files()) == ([], [])
        Path("gate.yaml").write_text("quality: {margin: 0.1, slices: {hard: 0.1}}", encoding="utf-8")
        assert main([part for part in command(tiny, server.url) if part != "-q"]) == 0, "it may be another set's"
        assert "gate.yaml:1: the gate names a slice 'hard' that no item is in" in capsys.readouterr().out


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "x.db", run(*table(0, 0, 60)))


@pytest.mark.parametrize("more", [[], ["--aa"]])
def test_one_file_in_place_of_itself_is_refused_and_told_of_aa(
    more: list[str], one: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gate.yaml").write_text("baseline: claude-opus-4-6\nquality: {margin: 0.1}\n", encoding="utf-8")
    Path("same.db").symlink_to(one)
    for other in (str(one), "same.db"):
        assert main(["gate", "--baseline", str(one), "--candidate", other, *more]) == 2
        assert "--aa to compare a model with itself" in capsys.readouterr().err


def test_an_output_that_is_named_twice_is_refused(
    one: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "gate.md"
    assert main(["gate", str(one), f"-o{target}", f"-o{tmp_path}/./gate.md"]) == 2
    assert "stands twice" in capsys.readouterr().err
    assert not target.exists()


@pytest.mark.parametrize(
    ("served", "asked", "pin"),
    [
        ("claude-sonnet-4-6", "claude-sonnet-4-6", True),
        ("claude-sonnet-4-5-20250929", "bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0", True),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0", True),
        ("claude-opus-4-6", "bedrock:anthropic.claude-opus-4-6-v1", True),
        ("", "bedrock:anthropic.claude-opus-4-6-v1", False),
        ("claude", "bedrock:anthropic.claude-opus-4-6-v1", False),
        ("claude-sonnet-4-5", "bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0", False),
        ("claude-opus-4", "bedrock:anthropic.claude-opus-4-6-v1", False),
        ("", "claude-opus-4-6", False),
    ],
)
def test_a_part_of_a_name_is_no_pin(served: str, asked: str, pin: bool) -> None:
    assert served_model._is_pin(served, asked) == pin
