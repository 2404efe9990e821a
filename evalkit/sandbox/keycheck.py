"""Checks that an answer key fits its dataset: python -m evalkit.sandbox.keycheck DATASET.jsonl KEYS.jsonl."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.sandbox.answer_keys import input_sha256
from evalkit.sandbox.facts import reference_lines, stated_points
from evalkit.sandbox.matching import covers, overlap, read_statement, split_sentences

Row = dict[str, Any]
DIFFICULTIES = ("easy", "medium", "hard")
ANSWER_NAMES = ("correct", "partial", "wrong")


def find_problems(items: Sequence[Row], keys: Sequence[Row]) -> Iterator[str]:
    """Every way in which the keys do not fit the items, one sentence each."""
    yield from _duplicates(items, "dataset")
    yield from _duplicates(keys, "keys")
    key_by_id = {key.get("id"): key for key in keys}
    item_ids = {item.get("id") for item in items}
    for key in keys:
        if key.get("id") not in item_ids:
            yield f"{key.get('id')}: key without an item"
    for item in items:
        if item.get("id") not in key_by_id:
            yield f"{item.get('id')}: item without a key"
            continue
        yield from (f"{item['id']}: {problem}" for problem in _check_pair(item, key_by_id[item["id"]]))


def _duplicates(rows: Sequence[Row], where: str) -> Iterator[str]:
    seen = set[object]()
    for row in rows:
        if row.get("id") in seen:
            yield f"{row.get('id')}: id occurs twice in the {where}"
        seen.add(row.get("id"))


def _check_pair(item: Row, key: Row) -> Iterator[str]:
    if key.get("difficulty") not in DIFFICULTIES:
        yield f"difficulty {key.get('difficulty')!r} is not one of {', '.join(DIFFICULTIES)}"
    elif "difficulty" in item and item["difficulty"] != key["difficulty"]:
        yield f"difficulty is {item['difficulty']} in the dataset but {key['difficulty']} in the key"
    if "input_sha256" not in key:
        yield "the key has no input_sha256 (add it with --stamp)"
    elif key["input_sha256"] != input_sha256(item["input"]):
        yield "input_sha256 does not belong to this input (renew it with --stamp)"
    reference = item.get("reference", "")
    if "answers" in key:
        yield from _check_answers(reference, key["answers"])
    elif "facts" in key:
        yield from _check_facts(reference_lines(reference), key["facts"])
    else:
        yield "the key has neither facts nor answers"


def _check_answers(reference: str, answers: Mapping[str, str]) -> Iterator[str]:
    for name in ANSWER_NAMES:
        if not answers.get(name, "").strip():
            yield f"answers.{name} is missing or empty"
            return
    stated = {name: stated_points(reference, answers[name]) for name in ANSWER_NAMES}
    if not reference.strip():
        yield "the item has no reference"
    elif not all(stated["correct"]):
        yield f"answers.correct does not state {reference!r}: {answers['correct']!r}"
    elif stated["wrong"][0]:
        yield f"answers.wrong states the core of {reference!r}: {answers['wrong']!r}"
    elif all(stated["partial"]):
        yield f"answers.partial states all of {reference!r}: {answers['partial']!r}"


def _check_facts(lines: Sequence[str], facts: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if len(lines) != len(facts) or not facts:
        yield f"{len(facts)} facts for {len(lines)} reference lines"
        return
    all_right = " ".join(fact["right"] for fact in facts)
    for index, (line, fact) in enumerate(zip(lines, facts, strict=True)):
        where = f"fact {index + 1}"
        if not covers(line, fact["right"]):
            yield f"{where}: right is not covered {_explain(line, fact['right'])}"
        elif not covers(line, all_right):
            yield f"{where}: right is lost among the other sentences {_explain(line, all_right)}"
        if covers(line, fact["wrong"]):
            yield f"{where}: wrong is covered {_explain(line, fact['wrong'])}"
            continue
        mixed = " ".join(f["wrong" if i == index else "right"] for i, f in enumerate(facts))
        if covers(line, mixed):
            yield f"{where}: still covered when only this fact is wrong, by another sentence of {mixed!r}"


def _explain(line: str, text: str) -> str:
    wanted = read_statement(line)
    found = max((read_statement(s) for s in split_sentences(text)), key=lambda s: overlap(wanted, s))
    missing = sorted(wanted.numbers - found.numbers)
    polarity, other = (("not negated", "negated")[s.negated] for s in (wanted, found))
    return (
        f"(best sentence shares {overlap(wanted, found):.0%} of the words; numbers missing: "
        f"{', '.join(missing) or 'none'}; line is {polarity}, sentence is {other})\n"
        f"    line: {line}\n    text: {text}"
    )


def _read_rows(path: Path) -> list[Row]:
    rows = list[Row]()
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise SystemExit(f"error: {path}:{number}: not JSON ({error})") from None
        rows.append(row)
    return rows


def stamp(items: Sequence[Row], keys: Sequence[Row]) -> list[Row]:
    """The keys with each one's input_sha256 taken anew from its item."""
    hashes = {item["id"]: input_sha256(item["input"]) for item in items}
    return [key | {"input_sha256": hashes[key["id"]]} if key.get("id") in hashes else key for key in keys]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each problem; 0 if there is none, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="evalkit.sandbox.keycheck", description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("keys", type=Path)
    parser.add_argument("--stamp", action="store_true", help="write input_sha256 into the key file first")
    options = parser.parse_args(arguments)
    items, keys = _read_rows(options.dataset), _read_rows(options.keys)
    if options.stamp:
        keys = stamp(items, keys)
        text = "".join(json.dumps(key, ensure_ascii=False) + "\n" for key in keys)
        options.keys.write_text(text, "utf-8")
    problems = list(find_problems(items, keys))
    for problem in problems:
        print(problem)
    print(f"{len(items)} items, {len(keys)} keys, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
