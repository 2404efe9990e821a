"""Blindness: a task without identity, labels nobody can follow, and texts without their author's name."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.blind import HIDDEN, GradingTask, grading_order, label_for, scrub
from evalkit.lookalikes import as_read
from evalkit.models import DEFAULT_JUDGE, KNOWN, LINE_UP

KEY = b"k" * 32
H = HIDDEN


def test_grading_task_has_these_fields_and_no_other() -> None:
    assert [field.name for field in dataclasses.fields(GradingTask)] == [
        "label", "criteria", "task", "reference", "output", "documents",
    ]  # fmt: skip


def test_label_is_the_same_for_the_same_trial_and_differs_by_everything_else() -> None:
    same = {label_for(KEY, "ann", 1) for _ in range(3)}
    others = {label_for(b"x" * 32, "ann", 1), label_for(KEY, "bob", 1), label_for(KEY, "ann", 2)}
    assert len(same) == 1
    assert len(same | others) == 4


def test_label_does_not_run_grader_and_trial_together() -> None:
    assert label_for(KEY, "ann1", 1) != label_for(KEY, "ann", 11)


@given(st.binary(min_size=1), st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 10**6))
def test_label_is_sixteen_plain_characters(key: bytes, grader: str, trial: int) -> None:
    assert re.fullmatch("[a-z2-7]{16}", label_for(key, grader, trial))


def test_labels_of_a_run_are_all_different() -> None:
    assert len({label_for(KEY, "ann", trial) for trial in range(3000)}) == 3000


def queue(seed: int, grader: str) -> list[tuple[str, int]]:
    trials = [(f"i{n // 3}", n) for n in range(60)]
    return sorted(trials, key=lambda trial: grading_order(seed, grader, *trial))


def test_orders_differ_by_grader_and_by_seed_and_repeat_otherwise() -> None:
    assert queue(1, "ann") == queue(1, "ann")
    assert len({str(queue(seed, grader)) for seed in (1, 2) for grader in ("ann", "bob", "judge x")}) == 6


def test_outputs_of_an_item_stay_together_but_not_in_trial_order() -> None:
    in_order = queue(1, "ann")
    firsts = [item for n, (item, _) in enumerate(in_order) if n == 0 or in_order[n - 1][0] != item]
    assert len(firsts) == 20
    places = [min(in_order.index((f"i{n}", 3 * n + k)) for k in range(3)) for n in range(20)]
    leaders = {in_order[place][1] % 3 for place in places}
    assert leaders == {0, 1, 2}, "no model may always come first"


HIDES = [
    ("As Claude Haiku, I", f"As {H}, I"),
    ("As Claude Haiku 4.5, I", f"As {H}, I"),
    ("claude-haiku-4-5-20251001", H),
    ("claude-opus-4-60", H),
    ("claude-opus-4-6-20260101 wrote", f"{H} wrote"),
    ("claude-opus-4-6.", f"{H}."),
    ("us.anthropic.claude-opus-4-6-v1:0", f"us.{H}.{H}"),
    ("anthropic.claude-3-haiku-20240307-v1:0", f"{H}.{H}"),
    ("claude-3-5-sonnet-20241022", H),
    ("claude-haiku-4-5@20251001", H),
    ("claude_haiku_4_5", H),
    ("_Claude_", f"_{H}_"),
    ("**Claude** here", f"**{H}** here"),
    ("I'm Opus", f"I'm {H}"),
    ("I’m Opus.", f"I’m {H}."),
    ("I am Sonnet", f"I am {H}"),
    ("My name is Claude", f"My name is {H}"),
    ("Sonnet 4.6", H),
    ("sonnet-4-6", H),
    ("SONNET 4.6", H),
    ("Opus v5", H),
    ("Opus 5.5 and Haiku 5.5", f"{H} and {H}"),
    ("haiku4.5", H),
    ("CLAUDE", H),
    ("claude 3.7", H),
    ("Claude 2024", f"{H} 2024"),
    ("ClaudeHaiku", H),
    ("Claude-Opus", H),
    ("Claude\nSonnet", H),
    ("Claude 3.5 Sonnet", H),
    ("Cl\u200baude", H),
    ("C\u00adlaude", H),
    ("Cla\u2060ude", H),
    ("\u202eClaude\u202c", H),
    ("Son\ufe0fnet 4.6", H),
    ("Сlаudе", H),
    ("СLАUDЕ", H),
    ("Αnthrορic", H),
    ("Ｃｌａｕｄｅ Ｏｐｕｓ ４．６", H),
    ("𝐂𝐥𝐚𝐮𝐝𝐞", H),
    ("ᴄʟᴀᴜᴅᴇ", H),
    ("C\u0301laude\u0323", H),
    ("Clàude", H),
    ("Cl\u3164aude", H),
    ("claude\u2011opus\u20114\u20116", H),
    ("I’m Ѕonnet", f"I’m {H}"),
    ("Привет, я Сlaude — помощник ﬁ", f"Привет, я {H} — помощник ﬁ"),
    ("é\u200bx; Cla\u00adude; é\u200bx", f"é\u200bx; {H}; é\u200bx"),
    ("made by Anthropic", f"made by {H}"),
    ("made by Anthropic's team", f"made by {H} team"),
    ("Claude’s answer", f"{H} answer"),
    ("Claude Haiku's", H),
    ("ANTHROPIC PBC", f"{H} PBC"),
    ("(Haiku)", f"({H})"),
    ("Mythos or Fable", f"{H} or {H}"),
    ("acme-model-7 said", f"{H} said"),
]


@pytest.mark.parametrize(("text", "expected"), HIDES)
def test_name_is_hidden_and_counted(text: str, expected: str) -> None:
    assert scrub(text, (*LINE_UP, "acme-model-7", "m")) == (expected, expected.count(H))


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("Here is a haiku:\nold pond", "Write a haiku about ponds"),
        ("Haiku: old pond", "Write three haikus."),
        ("A SONNET for you", "write me a sonnet"),
        ("Ask Claude about it", "A customer writes: I asked Claude, and"),
        ("Claude's invoice", "Claude Dubois complains about"),
        ("Anthropic was named", "Which company, Anthropic or another?"),
        ("magnum opus", "What was his opus?"),
        ("the mythos", "the Mythos of the city"),
        ("the cloud is grey", ""),
        ("opusculum", ""),
        ("Claudette and Claudius", ""),
        ("Jeanclaude", ""),
        ("sonnets, haikus and fables", ""),
        ("philanthropic, misanthropic", ""),
        ("sonnetize", ""),
        ("included", ""),
        ("octopus", ""),
        ("mythology and fabled beasts", ""),
        ("corpus 4.6", ""),
        ("the acme-model-70 and my acme-model-7b", ""),
        ("mm m1 am", ""),
        ("version 4.6 of 2025-10-01", ""),
        ("clau de", ""),
        ("as a reviewer I am sure", ""),
        ("[name hidden]", ""),
        ("\u200b\ufeff👩\u200d💻", ""),
        ("опус и сонет, хайку; Αθήνα; ｆｕｌｌ; ﬁn; e\u0301", ""),
        ("Ask Сlaude about it", "I asked Claude, and"),
        ("", ""),
    ],
)
def test_other_words_stay_to_the_byte(text: str, context: str) -> None:
    assert scrub(text, (*LINE_UP, "acme-model-7"), context) == (text, 0)


@pytest.mark.parametrize(
    ("text", "context", "expected"),
    [
        ("As Haiku, I wrote a haiku", "write a haiku", f"As {H}, I wrote a haiku"),
        ("As Claude Haiku 4.5 I wrote a haiku", "ask Claude for a haiku", f"As {H} I wrote a haiku"),
        ("I'm Claude.", "I asked Claude", f"I'm {H}."),
        ("Claude Opus wrote this opus", "name an opus by Claude", f"{H} wrote this opus"),
        ("Haiku 4.5 wrote this haiku", "write a haiku", f"{H} wrote this haiku"),
        ("claude-opus-4-6 it is", "is it claude-opus-4-6?", f"{H} it is"),
    ],
)
def test_introduction_or_version_is_hidden_even_if_the_task_uses_the_word(
    text: str, context: str, expected: str
) -> None:
    assert scrub(text, LINE_UP, context) == (expected, expected.count(H))


IDS = [*(model.id for model in KNOWN), DEFAULT_JUDGE]
CYRILLIC = str.maketrans("aceops", "асеорѕ")
noise = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
spelled = st.sampled_from(IDS).flatmap(
    lambda id: st.sampled_from(
        [id, id.upper(), "\u200b".join(id), f"\ufeff{id}", id.replace("-", "\u2060-"), id.translate(CYRILLIC)]
    )
)


@given(st.lists(noise | spelled, max_size=6).map("".join), noise)
def test_after_scrubbing_no_known_model_id_remains(text: str, context: str) -> None:
    scrubbed, marks = scrub(text, LINE_UP, context)
    seen = as_read(scrubbed)[0].lower()
    assert not [id for id in IDS if id in seen]
    assert (marks == 0) == (scrubbed == text)


@given(noise, noise)
def test_scrubbing_twice_is_scrubbing_once(before: str, after: str) -> None:
    once, _ = scrub(f"{before} Claude Opus 4.6 {after}", LINE_UP)
    assert scrub(once, LINE_UP) == (once, 0)


@pytest.mark.parametrize("text", ["claude" + "-" * 50_000, "claude 1" + "." * 50_000, "opus 4" + "-1" * 20_000 + "x"])
def test_long_runs_of_separators_take_no_long_time(text: str) -> None:
    assert scrub(text, LINE_UP)[1] == 1


@given(
    st.lists(noise | st.sampled_from(["Claude", "Сlаudе", "Ｏｐｕｓ 5", "ﬁ", "e\u0301", "\u200b"]), max_size=8).map(
        " ".join
    )
)
def test_what_is_not_hidden_stays_to_the_byte_and_in_order(text: str) -> None:
    scrubbed, _ = scrub(text, LINE_UP)
    place = 0
    for part in scrubbed.split(H):
        place = text.index(part, place) + len(part)
    assert text.startswith(scrubbed.split(H)[0])
    assert text.endswith(scrubbed.split(H)[-1])
