"""Plays an LLM judge: reads rubric, reference and outputs from the request, and errs at known rates."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.frozen import dataclass
from evalkit.sandbox import wire
from evalkit.sandbox.biases import Preferred, bent_choice, bent_place
from evalkit.sandbox.facts import stated_points
from evalkit.sandbox.jsonfill import fill_schema
from evalkit.sandbox.matching import covers, read_statement
from evalkit.sandbox.seeds import Draws

__all__ = ["JUDGE_FALSE_FAIL", "JUDGE_FALSE_PASS", "MALFORMED", "Judging", "covers", "judge", "read_judging"]

JUDGE_FALSE_PASS, JUDGE_FALSE_FAIL = 0.08, 0.04
"""How often a criterion about content gets the top level undeservedly, or is denied it undeservedly."""

MALFORMED = 0.005
"""Share of verdicts that are cut off in the middle of their JSON."""

STYLE_TOP = 0.9
"""Share of outputs that get the top level on a criterion of style; the others get the next one."""

Kind = str
_KINDS: tuple[tuple[Kind, str], ...] = (
    ("style", r"tone|clar|format|style|polite|concise|friend|profession|readab|empath|length|brief"),
    ("complete", r"complet|missing|thorough|every point|all points|coverage"),
    ("correct", r"correct|accura|policy|right|fact|truth|faithful|valid"),
)
_CRITERION = re.compile(r'<criterion\b[^>]*\bid="([^"]*)"[^>]*>(.*?)</criterion>', re.DOTALL)
_QUESTION = re.compile(r"<question>(.*?)</question>", re.DOTALL)
_CASE = re.compile(
    r"<input>(?P<input>.*?)</input>\s*(?:<reference>(?P<reference>.*?)</reference>\s*)?"
    r"(?:<output>(?P<output>.*)</output>"
    r"|<first_output>(?P<first>.*)</first_output>\s*<second_output>(?P<second>.*)</second_output>)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Judging:
    """A judging task: questions by criterion id, and the case to judge; `second` where two outputs are compared."""

    questions: Mapping[str, str]
    task: str
    reference: str | None
    output: str
    second: str | None = None


def read_judging(user_text: str, schema: Mapping[str, Any] | None) -> Judging | None:
    """The judging task in a request; None if it is none."""
    if schema is None or "<rubric>" not in user_text:
        return None
    rubric, _, rest = user_text.partition("<rubric>")[2].partition("</rubric>")
    case = _CASE.search(rest)
    if case is None:
        return None
    questions: dict[str, str] = {}
    for criterion_id, inside in _CRITERION.findall(rubric):
        question = _QUESTION.search(inside)
        questions[html.unescape(criterion_id)] = html.unescape(question.group(1)) if question else ""
    reference = case["reference"] and html.unescape(case["reference"]).strip()
    output, second = case["output"] or case["first"] or "", case["second"]
    second = None if second is None else html.unescape(second).strip()
    return Judging(questions, html.unescape(case["input"]), reference or None, html.unescape(output).strip(), second)


def judge(judging: Judging, schema: Mapping[str, Any], seed: int, draws: Draws, model: str = "") -> str:
    """The verdict as JSON that satisfies the schema, but for the share that is malformed.

    The judge's errors depend on the seed, the outputs and the criterion alone: never on a label or an order, unless
    it is the bias of this `model`.
    """
    verdict = fill_schema(schema, "See the grades.", draws)
    if judging.second is not None:
        verdict |= _comparison(judging, judging.second, seed, draws, model)
        return _whole_or_cut(verdict, draws)
    asked = schema.get("properties", {}).get("grades", {}).get("properties", {})
    stated = stated_points(judging.reference, judging.output) if judging.reference else None
    for criterion_id, part in asked.items():
        given = Draws(f"{seed} judge {criterion_id} {judging.output}")
        levels = _levels(part)
        kind = _kind(criterion_id, judging.questions.get(criterion_id, ""))
        place, reason = _grade(kind, judging, stated, len(levels), given)
        chance = Draws(f"{draws.key} {criterion_id}") if model.endswith("-random") else given
        place = bent_place(model, place, len(levels) - 1, judging.output, judging.reference, chance)
        verdict["grades"][criterion_id] |= {"reason": reason, "level": levels[place]}
    return _whole_or_cut(verdict, draws)


def _whole_or_cut(verdict: Mapping[str, Any], draws: Draws) -> str:
    text = wire.dump(verdict)
    return text[: len(text) * 2 // 3] if draws.chance("malformed", MALFORMED) else text


def _comparison(judging: Judging, second: str, seed: int, draws: Draws, model: str) -> Mapping[str, str]:
    """Which of two outputs serves better: the one that states more of the reference, whatever their order."""
    first = judging.output
    given = Draws(f"{seed} compare {' | '.join(sorted((first, second)))}")
    merits = [_merit(judging, output, seed) for output in (first, second)]
    fair: Preferred = "tie" if merits[0] == merits[1] else "first" if merits[0] > merits[1] else "second"
    if fair != "tie" and given.chance("false tie", JUDGE_FALSE_FAIL):
        fair = "tie"
    by_chance = draws if model.endswith("-random") else Draws(f"{seed} in this order {first} | {second}")
    preferred = bent_choice(model, fair, first, second, by_chance)
    told = {"tie": "Both serve equally well.", "first": "The first one", "second": "The second one"}[preferred]
    reason = told if preferred == "tie" else f"{told} states more of what the reference asks for."
    return {"reason": reason, "preferred": preferred}


def _merit(judging: Judging, output: str, seed: int) -> float:
    """Points of the reference that an output states, half a point for style; without a reference what it takes up."""
    style = 0.5 * Draws(f"{seed} style {output}").chance("style", STYLE_TOP)
    if judging.reference:
        return sum(stated_points(judging.reference, output)) + style
    asked, told = read_statement(judging.task).stems, read_statement(output).stems
    return len(asked & told) + style


def _levels(part: Mapping[str, Any]) -> Sequence[int]:
    level = part.get("properties", {}).get("level", {})
    return sorted(level["enum"]) if level.get("enum") else range(level.get("minimum", 0), level.get("maximum", 1) + 1)


def _kind(criterion_id: str, question: str) -> Kind:
    for text in (criterion_id.lower(), question.lower()):
        for kind, pattern in _KINDS:
            if re.search(pattern, text):
                return kind
    return "style"


def _grade(kind: Kind, judging: Judging, stated: Sequence[bool] | None, levels: int, draws: Draws) -> tuple[int, str]:
    top = levels - 1
    if len(judging.output.split()) < 3 and not (stated and all(stated)):
        return 0, "There is hardly any text to judge."
    if kind == "style":
        return _style(top, stated, draws)
    if stated is None:
        return _without_reference(judging, top, draws)
    place = _correctness(stated, top) if kind == "correct" else _completeness(stated, top)
    return _err(place, top, _reason(stated), draws)


def _correctness(stated: Sequence[bool], top: int) -> int:
    if all(stated):
        return top
    if not stated[0] or top == 1:
        return 0
    return max(1, min(top - 1, round(top * sum(stated) / len(stated))))


def _completeness(stated: Sequence[bool], top: int) -> int:
    return top if all(stated) else min(top - 1, round(top * sum(stated) / len(stated)))


def _err(place: int, top: int, reason: str, draws: Draws) -> tuple[int, str]:
    if place == top and draws.chance("false fail", JUDGE_FALSE_FAIL):
        return max(0, top - 1), "A point of the reference does not come out clearly enough."
    if place < top and draws.chance("false pass", JUDGE_FALSE_PASS):
        return top, "The points of the reference are stated."
    return place, reason


def _style(top: int, stated: Sequence[bool] | None, draws: Draws) -> tuple[int, str]:
    if draws.chance("style", STYLE_TOP):
        return top, "The wording suits the situation and reads easily."
    misses_core = bool(stated) and not (stated or [True])[0]
    return max(0, top - (2 if misses_core else 1)), "The wording could be warmer and more direct in places."


def _without_reference(judging: Judging, top: int, draws: Draws) -> tuple[int, str]:
    asked, told = read_statement(judging.task).stems, read_statement(judging.output).stems
    shared = len(asked & told) / max(1, min(len(asked), 40))
    score = 0.45 + min(0.35, shared) + min(0.2, len(judging.output) / 2000) + 0.15 * draws.normal("guess")
    return max(0, min(top, round(score * top))), "Judged by how far the output takes up what was asked."


def _reason(stated: Sequence[bool]) -> str:
    if all(stated):
        return f"All {len(stated)} points of the reference are stated."
    missing = ", ".join(str(number) for number, is_stated in enumerate(stated, 1) if not is_stated)
    return f"Of {len(stated)} reference points, these are missing or stated differently: {missing}."
