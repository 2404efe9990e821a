"""A team's own numbers for routing: read strictly, missing is never 0, and no grade passes for one of them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analysis_builders import HAIKU, OPUS, PASS_OR_FAIL, SONNET, WEIGHTED, Book, answered, spec, write_run
from hypothesis import given, settings
from hypothesis import strategies as st
from routing_builders import Said, outcomes, run

from evalkit.analysis import Analysis, analyze
from evalkit.analysis.leaks import TaggedGrade, leaks_of_tags, nearly, relabels
from evalkit.cli import main
from evalkit.errors import ProblemsError, UsageError
from evalkit.route import Asked, route, with_routing
from evalkit.routing.own import parse_features, parse_scores

N = 30


def made(epochs: int = 1, rubric: Mapping[str, Any] = PASS_OR_FAIL) -> Analysis:
    """Thirty items; each model fails some, by lot."""
    rng = np.random.default_rng(1)

    def rows() -> list[Any]:
        return [[Said(bool(rng.random() < 0.7)) for _ in range(epochs)] for _ in range(N)]

    return run({HAIKU: rows(), OPUS: rows()}, rubric)


ONE, TWO = made(), made(epochs=2)
IDS = [item.id for item in ONE.outputs]


def lines(rows: Iterable[object]) -> list[str]:
    return [row if isinstance(row, str) else json.dumps(row) for row in rows]


def features(**columns: Any) -> list[str]:
    """A whole file: for each column, a function of the item's place."""
    return lines({"item_id": id_, **{name: of(i) for name, of in columns.items()}} for i, id_ in enumerate(IDS))


def problems(read: Any, written: Iterable[object], analysis: Analysis = ONE) -> list[str]:
    with pytest.raises(ProblemsError) as caught:
        read(lines(written), "own.jsonl", analysis)
    return caught.value.problems


def test_features_reach_policies_and_exported_rules() -> None:
    own = parse_features(features(clauses=lambda i: i % 7, age_days=lambda i: -i / 3), "own.jsonl", ONE)
    found = route(ONE, Asked(own=own))
    assert {"by-clauses", "by-age-days"} <= {value.name for value in found.values}
    seen = outcomes(ONE, own=own)
    assert seen.features["clauses"].tolist() == [i % 7 for i in range(N)]
    assert seen.requests[3].own == {"clauses": 3.0, "age_days": -1.0}


def test_scores_reach_cascades_and_stay_unknown_where_there_is_none() -> None:
    written = [{"item_id": id_, "model": HAIKU, "epoch": 2, "sure": i % 5} for i, id_ in enumerate(IDS)]
    seen = outcomes(TWO, scores=parse_scores(lines(written), "own.jsonl", TWO))
    assert seen.scores["sure"][:, 0, 1].tolist() == [i % 5 for i in range(N)]
    assert np.isnan(seen.scores["sure"][:, 0, 0]).all()
    assert np.isnan(seen.scores["sure"][:, 1]).all()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"item_id": "nope", "a": 1}, ["own.jsonl:1: item_id 'nope' is no item of the run; name an item of the run"]),
        ({"a": 1}, ["own.jsonl:1: 'item_id' is missing; name an item of the run"]),
        ({"item_id": 7, "a": 1}, ["own.jsonl:1: item_id 7 is no item of the run; name an item of the run"]),
        ({"item_id": IDS[0], "a": "3"}, ["own.jsonl:1: 'a' is '3'; write a number"]),
        ({"item_id": IDS[0], "a": True}, ["own.jsonl:1: 'a' is true; write a number"]),
        ({"item_id": IDS[0], "a": None}, ["own.jsonl:1: 'a' is null; write a number"]),
        ({"item_id": IDS[0], "a": [1]}, ["own.jsonl:1: 'a' is [1]; write a number"]),
        ({"item_id": IDS[0], "a b": 1}, ["own.jsonl:1: 'a b' is no name"]),
        ({"item_id": IDS[0], "": 1}, ["own.jsonl:1: '' is no name"]),
        ({"item_id": IDS[0], "\u202esatisfied": 1}, ["own.jsonl:1: '\\u202esatisfied' is no name"]),
        ({"item_id": IDS[0]}, ["own.jsonl:1: no number; add one beside item_id"]),
        ({"item_id": IDS[0], "a": 1e300}, ["own.jsonl:1: 'a' is '1e+300', no finite number"]),
        (f'{{"item_id": "{IDS[0]}", "a": 1{"0" * 400}}}', ["own.jsonl:1: 'a' is '1000"]),
        (f'{{"item_id": "{IDS[0]}", "a": NaN}}', ["own.jsonl:1: NaN is not JSON"]),
        (f'{{"item_id": "{IDS[0]}", "a": -Infinity}}', ["own.jsonl:1: -Infinity is not JSON"]),
        (f'{{"item_id": "{IDS[0]}", "a": 1e999}}', ["own.jsonl:1: 1e999 is too large a number"]),
        (f'{{"item_id": "{IDS[0]}", "a": 1, "a": 2}}', ["own.jsonl:1: key 'a' stands twice in one object"]),
        ("[1]", ["own.jsonl:1: not a JSON object"]),
        ("{", ["own.jsonl:1: not JSON"]),
        ("[" * 100_000, ["own.jsonl:1: nested too deeply"]),
        ("", ["own.jsonl:1: no lines"]),
        ({"item_id": IDS[0], "words": 1}, ["own.jsonl:1: 'words' reads as 'words': evalkit computes it"]),
        ({"item_id": IDS[0], "Context-Characters": 1}, ["'Context-Characters' reads as 'context_characters'"]),
        ({"item_id": IDS[0], "a_b": 1, "a-b": 2}, ["'a-b' reads as 'a_b': both are in the file"]),
    ],
)
def test_a_bad_line_of_features_is_told(line: object, told: list[str]) -> None:
    found = problems(parse_features, [line])
    assert all(any(part in problem for problem in found) for part in told), found


def test_every_bad_line_is_told_at_once() -> None:
    found = problems(
        parse_features,
        [{"item_id": IDS[0], "a": 1}, {"item_id": IDS[0], "a": 2}, "", {"item_id": "x", "a": "y"}, "nonsense"],
    )
    assert [problem.split(": ")[0] for problem in found] == [f"own.jsonl:{n}" for n in (2, 4, 4, 5)]
    assert f"'{IDS[0]}' stands already on line 1; keep one line" in found[0]


def test_items_without_a_feature_are_named_and_are_not_0() -> None:
    written = features(clauses=lambda i: i % 4)[:-2]
    (told,) = problems(parse_features, written)
    assert "2 items of the run have no 'clauses': 'item-28', 'item-29'; give each item a number" in told
    (told,) = problems(parse_features, written[:1])
    assert "29 items" in told
    assert "and 19 more" in told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "claude-9"}, "model 'claude-9' is not in the run"),
        ({"model": HAIKU[:-1]}, f"did you mean '{HAIKU}'?"),
        ({"model": None}, "model null is not in the run"),
        ({"epoch": 3}, "epoch 3 is not in the run; use a whole number from 1 to 2"),
        ({"epoch": 0}, "epoch 0 is not in the run"),
        ({"epoch": True}, "epoch true is not in the run"),
        ({"epoch": 1.0}, "epoch 1.0 is not in the run"),
        ({"cost_usd": -1}, "'cost_usd' is -1; write what the check cost and took, 0 or more"),
        ({"latency_s": "fast"}, "'latency_s' is 'fast'; write a number"),
        ({"sure": None}, "'sure' is null; write a number"),
    ],
)
def test_a_bad_line_of_scores_is_told(changes: Mapping[str, object], told: str) -> None:
    line = {"item_id": IDS[0], "model": HAIKU, "epoch": 1, "sure": 0.5, **changes}
    found = problems(parse_scores, [line], TWO)
    assert any(told in problem for problem in found), found


def test_a_score_says_which_output_it_is_of() -> None:
    line = {"item_id": IDS[0], "model": HAIKU, "sure": 0.5}
    assert parse_scores(lines([line]), "own.jsonl", ONE) == {(IDS[0], HAIKU, 1): {"sure": 0.5}}
    (told,) = problems(parse_scores, [line], TWO)
    assert "'epoch' is missing, and the run has 2" in told
    (told,) = problems(parse_scores, [line, {**line, "epoch": 1}], ONE)
    assert "stands already on line 1" in told
    (told,) = problems(parse_scores, [{"item_id": IDS[0], "model": HAIKU, "cost_usd": 1}], ONE)
    assert "no line has a score" in told


@pytest.mark.parametrize(
    "name",
    [
        "satisfied", "Satisfied", "satisfactory", "is_satisfactory", "haiku_satisfied", "unsatisfied", "score", "SCORE",
        "score_1", "haikuScore", "grade", "final_grade", "graded", "level", "level_right", "right", "Right",
        "right_score", "verdict", "difficulty", "Difficulty", "level.2", "judge-claude-sonnet-5-5", "claude_sonnet_5.5",
    ],
)  # fmt: skip
@pytest.mark.parametrize("read", [parse_features, parse_scores])
def test_a_column_named_like_a_grade_is_refused(name: str, read: Any) -> None:
    rng = np.random.default_rng(3)
    written = [{"item_id": id_, name: rng.random()} for id_ in IDS]
    if read is parse_scores:
        written = [{**line, "model": HAIKU} for line in written]
    (told,) = problems(read, written)
    assert told.startswith(f"own.jsonl:1: column {name!r} is ")
    assert told.endswith("leave it out: nobody knows that when a request is routed")


@pytest.mark.parametrize(
    "name", ["clauses", "self_check_score", "estimated_difficulty", "rights", "brightness", "access_level", "haiku"]
)
def test_other_names_are_taken(name: str) -> None:
    rng = np.random.default_rng(3)
    written = features(**{name: lambda _: rng.random()})
    assert set(parse_features(written, "own.jsonl", ONE)[IDS[0]]) == {name}


def grades(analysis: Analysis, model: int, epoch: int = 0) -> np.ndarray[Any, Any]:
    epochs = analysis.spec.epochs
    return np.array([float(item.outputs[model * epochs + epoch].satisfied or 0) for item in analysis.outputs])


COPIES: dict[str, Any] = {
    "as it is": lambda g: g,
    "turned over": lambda g: 1 - g,
    "affine": lambda g: 7.5 - 3 * g,
    "with noise that keeps the order": lambda g: g * 10 + np.random.default_rng(2).random(len(g)),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("model", [0, 1])
def test_a_feature_that_copies_a_verdict_is_refused_by_its_content(copy: Any, model: int) -> None:
    column = copy(grades(ONE, model))
    (told,) = problems(parse_features, features(innocent=lambda i: column[i]))
    assert "column 'innocent' repeats the verdicts on" in told


@pytest.mark.parametrize(
    ("what", "column"),
    [
        ("mean verdicts of all models", grades(ONE, 0) + grades(ONE, 1)),
        ("verdict whether any model satisfied", np.maximum(grades(ONE, 0), grades(ONE, 1))),
        ("mean verdicts of all models", np.minimum(grades(ONE, 0), grades(ONE, 1))),
        ("verdicts on Haiku 4.5", np.where(grades(ONE, 0), 0, np.where(grades(ONE, 1), 1, 2))),
        ("cheapest model that satisfied", np.where(grades(ONE, 0), 1, np.where(grades(ONE, 1), 0, 2))),
    ],
)
def test_what_grades_say_of_an_item_is_refused_too(what: str, column: Any) -> None:
    (told,) = problems(parse_features, features(innocent=lambda i: float(column[i])))
    assert f"repeats the {what}" in told


def test_a_mean_over_epochs_and_one_epoch_are_grades() -> None:
    for column in (grades(TWO, 0, 1), (grades(TWO, 0, 0) + grades(TWO, 0, 1)) / 2):
        (told,) = problems(parse_features, features(innocent=lambda i, c=column: c[i]), TWO)
        assert "repeats the" in told


def test_a_level_or_a_score_under_another_name_is_refused() -> None:
    rng, book = np.random.default_rng(4), Book(spec((HAIKU, OPUS), WEIGHTED))
    tones: list[int] = []
    for id_ in IDS:
        for model in (HAIKU, OPUS):
            right, tone = int(rng.integers(0, 3)), int(rng.choice([1, 3, 5]))
            book.trial(id_, answered(), model=model, levels={"right": right, "tone": tone})
            tones += [tone] * (model == OPUS)
    analysis = analyze(book.snapshot())
    relabelled = {1: 2.0, 3: 0.0, 5: 9.0}
    (told,) = problems(parse_features, features(kindness=lambda i: relabelled[tones[i]]), analysis)
    assert "repeats the levels of 'tone' on Opus 4.6" in told
    scores = [{"item_id": item.id, "model": o.model, "pct": 100 * (o.score or 0)}
              for item in analysis.outputs for o in item.outputs]  # fmt: skip
    (told,) = problems(parse_scores, scores, analysis)
    assert "column 'pct' repeats the verdicts of the outputs" in told


def test_a_score_of_outputs_that_copies_their_verdicts_is_refused() -> None:
    for analysis, epochs in ((ONE, [1]), (TWO, [1, 2])):
        written = [
            {"item_id": item.id, "model": o.model, "epoch": o.epoch, "sure": 3 - 2 * int(o.satisfied or 0)}
            for item in analysis.outputs
            for o in item.outputs
        ]
        assert len(written) == N * 2 * len(epochs)
        (told,) = problems(parse_scores, written, analysis)
        assert "column 'sure' repeats the verdicts of the outputs under another name" in told
        (told,) = problems(parse_scores, [line for line in written if line["model"] == HAIKU], analysis)
        assert "column 'sure' repeats the verdicts" in told


def test_a_grade_is_refused_whoever_brings_it() -> None:
    own = {id_: {"innocent": float(flag)} for id_, flag in zip(IDS, grades(ONE, 0), strict=True)}
    with pytest.raises(UsageError, match="column 'innocent' repeats the verdicts on Haiku"):
        route(ONE, Asked(own=own))
    scores = {(id_, HAIKU, 1): {"grade": 1.0} for id_ in IDS}
    with pytest.raises(UsageError, match="column 'grade' is named like a grade"):
        route(ONE, Asked(scores=scores))


@pytest.mark.long
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_honest_columns_are_taken(seed: int) -> None:
    """Columns that only go with the grade, and ones that have nothing to do with it."""
    rng = np.random.default_rng(seed)
    noisy = grades(ONE, 0) + rng.normal(0, 0.8, N)
    columns = {
        "noisy": noisy,
        "random": rng.random(N),
        "alike": np.ones(N),
        "many": rng.integers(0, 4, N).astype(float),
    }
    own = parse_features(features(**{n: lambda i, c=c: float(c[i]) for n, c in columns.items()}), "own.jsonl", ONE)
    assert set(own[IDS[0]]) == set(columns)


@pytest.mark.parametrize(
    ("column", "grade", "same"),
    [
        ([1, 0, 1, 0, 1], [1, 0, 1, 0, 1], True),
        ([1, 0, 1, 0], [1, 0, 1, 0], False),  # so few that chance would do it
        ([1, 1, 1, 1, 1], [1, 1, 1, 1, 1], False),  # which says nothing
        ([1, 0, 1, 0, 1, 1], [1, 0, 1, 0, 1, 0], False),
        ([5, 1, 4, 2, 3], [1, 0, 1, 0, 0], False),  # in order, by chance
        ([5, 3, 1, 1, 3, 5], [3, 2, 1, 1, 2, 3], True),
        ([5, 3, 1, 1, 3, np.nan], [3, 2, 1, 1, 2, 0], True),
        ([np.nan] * 6, [0, 1, 0, 1, 0, 1], False),
        ([0, 2, 1] * 3, [0, 1, 2] * 3, False),  # in another order, by chance
        ([0, 2, 1] * 9, [0, 1, 2] * 9, True),
        (list(range(50)), [float(i > 20) for i in range(50)], True),
        ([float(i > 20) for i in range(50)], list(range(50)), True),
        ([i % 2 for i in range(500)], [i % 2 for i in range(500)], True),
        ([i % 2 for i in range(500)], [i % 2 for i in range(499)] + [0], False),  # though it begins alike
        ([1] * 300 + [0] * 200, [5] * 300 + [7] * 200, True),  # though it begins with nothing
    ],
)
def test_when_a_column_says_the_same(column: list[float], grade: list[float], same: bool) -> None:
    assert relabels(np.array(column, dtype=float), np.array(grade, dtype=float)) is same


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    rng, book = np.random.default_rng(1), Book(spec((HAIKU, SONNET)))
    for id_ in IDS:
        for model in (HAIKU, SONNET):
            book.trial(id_, answered(), model=model, level=int(rng.random() < 0.7))
    return write_run(tmp_path / "run.db", book.snapshot())


def test_the_command_reads_both_files(
    run_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.jsonl").write_text("\ufeff" + "\r\n".join(features(clauses=lambda i: i % 6)))
    sure = [{"item_id": id_, "model": HAIKU, "sure": i % 5 / 5} for i, id_ in enumerate(IDS)]
    Path("s.jsonl").write_text("\n".join(lines(sure)))
    assert main(["route", str(run_file), "--features", "f.jsonl", "--scores", "s.jsonl", "--json"]) == 0
    values = {value["name"]: value for value in json.loads(capsys.readouterr().out)["routing"]["values"]}
    assert values["by-clauses"]["exportable"]
    assert values["cascade-haiku-sonnet-score-sure"]["verifier"]["escalated"]["n"] == N


def test_the_command_tells_all_of_both_files_and_ends_with_2(
    run_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.jsonl").write_text("\n".join(features(satisfied=lambda i: i % 6, age=str)))
    Path("s.jsonl").write_text('{"item_id": "x", "model": "y"}\n')
    assert main(["route", str(run_file), "--features", "f.jsonl", "--scores", "s.jsonl"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    for part in ("f.jsonl:1: column 'satisfied' is named like a grade", "f.jsonl:30: 'age' is '29'",
                 "s.jsonl:1: item_id 'x' is no item", "s.jsonl:1: model 'y' is not in the run"):  # fmt: skip
        assert part in told.err
    assert main(["route", str(run_file), "--features", "none.jsonl"]) == 2
    assert "features file 'none.jsonl' does not exist" in capsys.readouterr().err


# --- tags, of which there may be as many as items ---

grade_values = st.sampled_from([0.0, 1.0, 0.5, 0.25, float("nan")])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_all_tags_at_once_are_judged_as_each_ones_column(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 60))
    kinds = data.draw(st.sampled_from([2, 3, 5]))
    drawn = data.draw(st.lists(st.integers(0, kinds - 1), min_size=n, max_size=n))
    grade = np.array([[0.0, 1.0, 0.5, np.nan, 2.0][value] for value in drawn])
    wrong = data.draw(st.sets(st.integers(0, n - 1), max_size=2))
    of_grade = {f"is {value}": {i for i in range(n) if grade[i] == value} for value in (0.0, 1.0, 2.0)}
    tags = {**of_grade, "nearly": of_grade["is 1.0"] ^ wrong, "some": wrong, "all": set(range(n)), "ends": {0, n - 1}}
    pairs = [(t, i) for t, on in enumerate(tags.values()) for i in sorted(on)]
    tag_of, item_of = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    found = TaggedGrade(tag_of, item_of, grade, len(tags))
    columns = [np.array([float(i in on) for i in range(n)]) for on in tags.values()]
    known = grade[np.isfinite(grade)]
    two = len(set(known.tolist())) == 2
    rare = [not two or 2 * len(tags) / comb(len(known), int(np.isfinite(grade)[list(on)].sum())) < 1e-4
            for on in tags.values()]  # fmt: skip
    assert found.relabelled.tolist() == [relabels(c, grade) and r for c, r in zip(columns, rare, strict=True)]
    assert found.nearly.tolist() == [nearly(column, grade) for column in columns]


@pytest.mark.parametrize(("failed", "found"), [(1, False), (3, False), (6, True)])
def test_a_tag_of_an_item_or_two_that_failed_is_no_leak(failed: int, found: bool) -> None:
    """Of 40 items with a tag each, the one that failed has one that no other has: that is what own tags are."""
    book = Book(spec((HAIKU, OPUS)))
    for i in range(60):
        book.item(f"i{i}", tags=("odd",) if i < failed else (f"own-{i}",))
        for model in (HAIKU, OPUS):
            book.trial(f"i{i}", answered(0.01), model=model, level=int(i >= failed or model == OPUS))
    analysis = analyze(book.snapshot())
    assert bool(leaks_of_tags(analysis)) is found
    valued = with_routing(analysis)
    assert (valued.routing is None) is found
    assert any(line.startswith("Routing is not valued: tag 'odd' repeats") for line in valued.warnings) is found


def test_a_tag_that_repeats_a_verdict_is_found_among_one_of_each_items_own() -> None:
    analysis = made()
    failed = {item.id for item in analysis.outputs for o in item.outputs if o.model == HAIKU and not o.satisfied}
    tagged = replace(
        analysis,
        outputs=tuple(
            replace(item, tags=(f"ticket-{item.id}", *(("odd",) if item.id in failed else ())))
            for item in analysis.outputs
        ),
    )
    assert dict(leaks_of_tags(tagged)) == {"odd": "repeats the verdicts on Haiku 4.5 under another name"}
