"""The demo: from dataset to report without a key, the same every time but for what a clock measured."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from evalkit.cli import demo as demo_module
from evalkit.cli import main

ITEMS = 6
TIMED = {"clocks", "latency_s", "ttft_s", "felt_s", "felt", "created_at", "sessions"}
"""Keys of the JSON whose values a clock made."""
VOID = {"meta", "link", "img", "br", "hr", "input", "col", "wbr", "source"}
FAULTS = {"overloaded": 0.15, "stream_error": 0.15}
"""More than the demo's own, so that so small a set has failures too."""


def small_copy(root: Path, folder: Path) -> Path:
    """The shipped dataset with its first items, their evidence, some distractors and a smaller context."""
    (folder / "datasets").mkdir(parents=True)
    shutil.copytree(root / "rubrics", folder / "rubrics")
    lines = (root / "datasets" / "support-replies.jsonl").read_text(encoding="utf-8").splitlines()[:ITEMS]
    dataset = folder / "datasets" / "support-replies.jsonl"
    dataset.write_text("\n".join(lines) + "\n", encoding="utf-8")
    evidence = {name for line in lines for name in json.loads(line)["documents"]}
    pool = sorted((root / "datasets" / "support-replies").iterdir())
    (folder / "datasets" / "support-replies").mkdir()
    for document in pool:
        if f"support-replies/{document.name}" in evidence or document in pool[::6]:
            shutil.copy(document, folder / "datasets" / "support-replies" / document.name)
    card = (root / "datasets" / "support-replies.yaml").read_text(encoding="utf-8")
    dataset.with_suffix(".yaml").write_text(
        card.replace("context_tokens: 50000", "context_tokens: 9000"), encoding="utf-8"
    )
    return dataset


@dataclass(frozen=True)
class Demo:
    """What one demonstration left behind."""

    html: str
    markdown: str
    json: str
    run_file: Path


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Demo]]:
    """Three demonstrations: two with the same seed, one with another."""
    root = Path(__file__).parent.parent
    folder = tmp_path_factory.mktemp("demo")
    dataset = small_copy(root, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HOME", str(folder))
        for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
            patch.delenv(name, raising=False)
        patch.setattr(demo_module, "FAULT_RATES", FAULTS)
        yield {name: _demonstrate(dataset, folder / name, seed) for name, seed in (("a", 1), ("b", 1), ("other", 2))}


def _demonstrate(dataset: Path, folder: Path, seed: int) -> Demo:
    target, runs = folder / "report.html", folder / "runs"
    code = main(["demo", str(dataset), "-o", str(target), "--runs", str(runs), "--seed", str(seed), "--speed", "0"])
    assert code == 0
    texts = [target.with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".html", ".md", ".json")]
    return Demo(texts[0], texts[1], texts[2], next(runs.glob("*.db")))


class _Unmeasured(HTMLParser):
    """Copies a page without the elements marked `data-measured`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.kept: list[str] = []
        self.dropped = 0
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._depth or "data-measured" in dict(attrs):
            self._depth += tag not in VOID
            self.dropped += 1
        else:
            self.kept.append(self.get_starttag_text() or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._depth:
            self.kept.append(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if self._depth:
            self._depth -= 1
        else:
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._depth:
            self.kept.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")


def unmeasured(page: str) -> list[str]:
    """The parts of a page that no clock has made."""
    parser = _Unmeasured()
    parser.feed(page)
    parser.close()
    assert parser.dropped > 10, "nothing is marked as measured"
    assert parser._depth == 0
    return [part for part in parser.kept if part.strip()]  # a line that a clock made leaves its line end


def is_timed(entry: dict[str, Any]) -> bool:
    return bool(entry.get("measured")) or entry.get("id") == "faster-no-worse"


def timeless(value: Any) -> Any:
    """A report's JSON without what a clock made."""
    if isinstance(value, dict):
        return {key: timeless(entry) for key, entry in value.items() if key not in TIMED}
    if isinstance(value, list):
        return [timeless(entry) for entry in value if not (isinstance(entry, dict) and is_timed(entry))]
    return value


@pytest.mark.long
def test_the_demo_reports_every_item_and_says_that_it_is_simulated(demos: dict[str, Demo]) -> None:
    content = json.loads(demos["a"].json)
    assert content["simulated"] is True
    assert content["analysis"]["items"] == ITEMS
    assert [model["counts"]["planned"] for model in content["analysis"]["models"]] == [ITEMS] * 3
    assert content["analysis"]["grading"]["grades"] > 0
    assert sum(model["failed_attempts"] for model in content["analysis"]["models"]) > 0
    for text in (demos["a"].html, demos["a"].markdown):
        assert "SIMULATED" in text


def test_the_same_seed_gives_the_same_page_but_for_what_was_measured(demos: dict[str, Demo]) -> None:
    assert unmeasured(demos["a"].html) == unmeasured(demos["b"].html)


def test_the_same_seed_gives_the_same_json_but_for_what_was_measured(demos: dict[str, Demo]) -> None:
    first, second = (json.loads(demos[name].json) for name in ("a", "b"))
    assert timeless(first) == timeless(second)
    assert first["analysis"]["models"][0]["clocks"] != second["analysis"]["models"][0]["clocks"]


def test_another_seed_gives_another_sample(demos: dict[str, Demo]) -> None:
    texts = {}
    for name in ("a", "other"):
        outputs = json.loads(demos[name].json)["analysis"]["outputs"]
        texts[name] = {(item["id"], o["model"]): o["text"] for item in outputs for o in item["outputs"]}
    assert texts["a"].keys() == texts["other"].keys()
    assert sum(texts["a"][place] != texts["other"][place] for place in texts["a"]) > len(texts["a"]) / 2
    assert unmeasured(demos["a"].html) != unmeasured(demos["other"].html)


def test_labels_and_keys_of_the_blinding_stay_in_the_run_file(demos: dict[str, Demo]) -> None:
    with sqlite3.connect(demos["a"].run_file) as file:
        labels = [row[0] for row in file.execute("SELECT label FROM sealed")]
        keys = [bytes(row[0]) for row in file.execute("SELECT key FROM sealed_key")]
    assert len(labels) >= ITEMS
    assert keys
    for text in (demos["a"].html, demos["a"].markdown, demos["a"].json):
        assert not [label for label in labels if label in text]
        assert not [key for key in keys if key.hex() in text]


@pytest.mark.long
def test_a_finished_demo_run_again_sends_nothing(demos: dict[str, Demo], capsys: pytest.CaptureFixture[str]) -> None:
    demo = demos["b"]
    before = json.loads(demo.json)["analysis"]
    again = demo.run_file.parent.parent / "again.html"
    dataset = demo.run_file.parent.parent.parent / "datasets" / "support-replies.jsonl"
    argv = ["demo", str(dataset), "-o", str(again), "--runs", str(demo.run_file.parent), "--seed", "1", "--speed", "0"]
    assert main(argv) == 0
    assert "complete already, nothing to send" in capsys.readouterr().out
    after = json.loads(again.with_suffix(".json").read_text(encoding="utf-8"))["analysis"]
    assert after == before
    assert again.read_text(encoding="utf-8") == demo.html
