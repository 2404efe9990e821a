"""Writes the reply to a request: recognises its item, draws the outcome, thinks, and keeps the limits."""

from __future__ import annotations

import json
import math

from evalkit.sandbox import phrases
from evalkit.sandbox.answer_keys import AnswerKey, input_sha256, load_keys, task_of
from evalkit.sandbox.answers import LONGEST_RAMBLE_TOKENS, compose, introduce, ramble, refuse
from evalkit.sandbox.classifier import rate, read_request
from evalkit.sandbox.jsonfill import fill_schema
from evalkit.sandbox.judge import judge, read_judging
from evalkit.sandbox.plausible import plausible_answer
from evalkit.sandbox.quality import Outcome, draw_outcome, item_shift
from evalkit.sandbox.reply import Draft, Reply, Thinking, finish
from evalkit.sandbox.request import Body, MessageRequest
from evalkit.sandbox.seeds import Draws
from evalkit.sandbox.settings import SandboxSettings
from evalkit.sandbox.wire import dump

THINKING_TOKENS = {"low": 60, "medium": 150, "high": 320, "xhigh": 600, "max": 1000}
"""Median tokens of thinking by effort; never more than half of max_tokens or than the budget."""

CALLS_UNFORCED = 0.8
"""Share of replies that call a tool where they may and need not."""

THINKING_SPREAD = 0.4
"""Standard deviation of the logarithm of the thinking tokens."""


def write_reply(settings: SandboxSettings, request: MessageRequest, draws: Draws, outcome: Outcome | None) -> Reply:
    """The reply, fixed by the settings' seed, the request and the draws; `outcome` overrules the draw."""
    thinking = _think(request, draws)
    draft = _draft(settings, request, draws, outcome)
    return finish(draft, thinking, request.max_tokens, request.stop_sequences, request.spec.token_factor)


def _draft(settings: SandboxSettings, request: MessageRequest, draws: Draws, wanted: Outcome | None) -> Draft:
    schema = request.schema
    judging = read_judging(request.user_text, schema)
    if judging is not None and schema is not None:
        return Draft(judge(judging, schema, settings.seed, draws, request.spec.id))
    to_rate = read_request(request.user_text)
    if to_rate is not None:
        return Draft(rate(to_rate, load_keys(settings.keys_dir).get(input_sha256(to_rate)), draws))
    task = task_of(request.user_text)
    sha256 = input_sha256(task)
    key = load_keys(settings.keys_dir).get(sha256)
    outcome = wanted or draw_outcome(
        draws,
        request.spec,
        key.difficulty if key else "medium",
        request.plain_tokens,
        item_shift(settings.seed, sha256),
    )
    if outcome == "refused":
        return refuse(draws)
    answer = _answer(request, key, task, outcome, draws)
    tool = _tool(request, draws)
    draft = _as_json(request, answer, draws) if tool is None else answer
    if outcome == "truncated" and request.max_tokens <= LONGEST_RAMBLE_TOKENS:
        draft = ramble(draft, request.max_tokens, draws)
    return draft if tool is None else _as_call(tool, draft, draws)


def _answer(request: MessageRequest, key: AnswerKey | None, task: str, outcome: Outcome, draws: Draws) -> Draft:
    if key is not None:
        return compose(key, outcome, request.spec, f"{request.body.get('system')}\n{task}", draws)
    return Draft(introduce(plausible_answer(task, request.spec, draws), request.spec, draws))


def _as_json(request: MessageRequest, draft: Draft, draws: Draws) -> Draft:
    if request.schema is None or _is_json(draft.text):
        return draft
    return Draft(dump(fill_schema(request.schema, draft.text, draws)))


def _tool(request: MessageRequest, draws: Draws) -> Body | None:
    """The tool that the reply calls, if any: one of those that are forced, else mostly one of those at hand."""
    if request.forced_tools:
        return draws.choose("tool", request.forced_tools)
    calls = bool(request.tools) and draws.chance("calls a tool", CALLS_UNFORCED)
    return draws.choose("tool", request.tools) if calls else None


def _as_call(tool: Body, draft: Draft, draws: Draws) -> Draft:
    return Draft(dump(fill_schema(tool["input_schema"], draft.text, draws)), tool=tool["name"])


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _think(request: MessageRequest, draws: Draws) -> Thinking | None:
    if not request.thinks or request.max_tokens == 0:
        return None
    wanted = THINKING_TOKENS[request.effort] * math.exp(THINKING_SPREAD * draws.normal("thinking"))
    asked = request.body.get("thinking") or {}
    most = min(request.max_tokens // 2, int(asked.get("budget_tokens", request.max_tokens)))
    # The newest generation keeps its thinking to itself unless it is asked to summarise it.
    display = asked.get("display") or ("omitted" if request.spec.generation >= 5.5 else "summarized")
    return Thinking(phrases.THOUGHTS if display == "summarized" else "", min(round(wanted), most))
