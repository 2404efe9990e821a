"""Pins: found however a provider spells them, told apart from prose, and not bumped without evidence."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_pages import made

from evalkit.cli.pins_table import priced
from evalkit.pins.bumps import bumps
from evalkit.pins.facts import facts_of, price_change
from evalkit.pins.mentions import is_prose
from evalkit.pins.scan import Pin, in_code, pins_in
from evalkit.pins.spelling import SOUGHT, spellings
from evalkit.report import render_html, render_json

SONNET_45 = "claude-sonnet-4-5-20250929"
OURS = "arn:aws:bedrock:us-east-1:123456789012:"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab12cd34ef56"
TODAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("text", "model", "kind", "provider"),
    [
        ('model="claude-sonnet-4-5-20250929"', SONNET_45, "pin", "anthropic"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5", "alias", "anthropic"),
        ("claude-opus-4-6.", "claude-opus-4-6", "pin", "anthropic"),
        ("MODEL=claude-opus-4-8;", "claude-opus-4-8", "pin", "anthropic"),
        ("claude-opus-4-20250514", "claude-opus-4-20250514", "pin", "anthropic"),
        ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet-20241022", "pin", "anthropic"),
        ("claude-3-opus-latest", "claude-3-opus", "alias", "anthropic"),
        ("claude-3-haiku", "claude-3-haiku", "alias", "anthropic"),
        ("claude-sonnet-latest", "claude-sonnet", "alias", "anthropic"),
        ("claude-2.1", "claude-2.1", "pin", "anthropic"),
        ("claude-instant-1.2", "claude-instant-1-2", "pin", "anthropic"),
        ("claude-haiku-7", "claude-haiku-7", "pin", "anthropic"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", SONNET_45, "pin", "bedrock"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", SONNET_45, "pin", "bedrock"),
        ("global.anthropic.claude-opus-4-6-v1", "claude-opus-4-6", "pin", "bedrock"),
        ("arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
         "claude-3-haiku-20240307", "pin", "bedrock"),
        ("bedrock/anthropic.claude-v2:1", "claude-2.1", "pin", "bedrock"),
        ("anthropic.claude-v2:1:200k", "claude-2.1", "pin", "bedrock"),
        ("anthropic.claude-v2", "claude-2.0", "pin", "bedrock"),
        ("anthropic.claude-v2:0:18k", "claude-2.0", "pin", "bedrock"),
        ("anthropic.claude-instant-v1", "claude-instant-1", "pin", "bedrock"),
        ("claude-v2.1", "claude-2.1", "pin", "anthropic"),
        ("claude-mythos-preview", "claude-mythos-preview", "pin", "anthropic"),
        ("us.anthropic.claude-mythos-preview-v1:0", "claude-mythos-preview", "pin", "bedrock"),
        ("anthropic.ModelClaudeMythosPreview", "claude-mythos-preview", "pin", "anthropic"),
        ("Model.CLAUDE_MYTHOS_PREVIEW", "claude-mythos-preview", "pin", "anthropic"),
        ("claude-mythos-5-preview", "claude-mythos-5", "pin", "anthropic"),
        ("claude-sonnet-4-5@20250929", SONNET_45, "pin", "vertex"),
        ("publishers/anthropic/models/claude-opus-4-6", "claude-opus-4-6", "pin", "vertex"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5", "alias", "gateway"),
        ("openrouter/anthropic/claude-3.5-sonnet:beta", "claude-3-5-sonnet", "alias", "gateway"),
        ("anthropic/claude-4.5-sonnet", "claude-sonnet-4-5", "alias", "gateway"),
        ("claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet-20241022", "pin", "vertex"),
        ("vertex_ai/claude-sonnet-4@20250514", "claude-sonnet-4-20250514", "pin", "vertex"),
        ('ChatAnthropic(model="claude-sonnet-4-5-20250929")', SONNET_45, "pin", "anthropic"),
        ("bedrock/converse/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", SONNET_45, "pin", "bedrock"),
        ("/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke", SONNET_45, "pin", "bedrock"),
        ("${var.region}.anthropic.claude-sonnet-4-5-20250929-v1:0", SONNET_45, "pin", "bedrock"),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-6-v1",
         "claude-opus-4-6", "pin", "bedrock"),
        ("claude-opus-4-6[1m]", "claude-opus-4-6", "pin", "anthropic"),
        ("claude-sonnet-4-5-20250929-thinking", SONNET_45, "pin", "anthropic"),
        ("anthropic.ModelClaudeSonnet4_5_20250929", SONNET_45, "pin", "anthropic"),
        ("anthropic.ModelClaudeOpus4_6", "claude-opus-4-6", "pin", "anthropic"),
        ("Model.CLAUDE_SONNET_4_5", "claude-sonnet-4-5", "alias", "anthropic"),
        ("Model.CLAUDE_3_5_HAIKU_LATEST", "claude-3-5-haiku", "alias", "anthropic"),
        ("anthropic.ModelClaude3_7SonnetLatest", "claude-3-7-sonnet", "alias", "anthropic"),
        ("anthropic.ModelClaude3OpusLatest", "claude-3-opus", "alias", "anthropic"),
        ("anthropic.ModelClaude3_5Haiku20241022", "claude-3-5-haiku-20241022", "pin", "anthropic"),
        ("anthropic.ModelClaude_3_5_Sonnet_20240620", "claude-3-5-sonnet-20240620", "pin", "anthropic"),
        ("anthropic.ModelClaude_3_Haiku_20240307", "claude-3-haiku-20240307", "pin", "anthropic"),
        ("anthropic.ModelClaude4Sonnet20250514", "claude-sonnet-4-20250514", "pin", "anthropic"),
        ("CLAUDE_4_SONNET_20250514", "claude-sonnet-4-20250514", "pin", "anthropic"),
        ("FoundationModelIdentifier.ANTHROPIC_CLAUDE_3_5_SONNET_20241022_V2_0",
         "claude-3-5-sonnet-20241022", "pin", "bedrock"),
        ("bedrock.BedrockFoundationModel.ANTHROPIC_CLAUDE_SONNET_4_20250514_V1_0", "claude-sonnet-4-20250514", "pin",
         "bedrock"),
        ("model: Model::CLAUDE_OPUS_4_6,", "claude-opus-4-6", "pin", "anthropic"),
        ("Anthropic::Models::Model::CLAUDE_SONNET_4_5_20250929", SONNET_45, "pin", "anthropic"),
        ("AnthropicChatModelName.CLAUDE_SONNET_4_6", "claude-sonnet-4-6", "pin", "anthropic"),
        ("AnthropicChatModelName.CLAUDE_SONNET_4_5_20250929", SONNET_45, "pin", "anthropic"),
        ("anthropic.AnthropicChatModelName.CLAUDE_3_5_HAIKU_LATEST;", "claude-3-5-haiku", "alias", "anthropic"),
        (".model(AnthropicApi.ChatModel.CLAUDE_SONNET_4_5)", "claude-sonnet-4-5", "alias", "anthropic"),
        ("AnthropicApi.ChatModel.CLAUDE_3_7_SONNET.getValue()", "claude-3-7-sonnet", "alias", "anthropic"),
        ("Model = AnthropicModels.Claude46Sonnet,", "claude-sonnet-4-6", "pin", "anthropic"),
        ("Model = AnthropicModels.Claude45Sonnet,", "claude-sonnet-4-5", "alias", "anthropic"),
        ("Constants.AnthropicModels.Claude3Haiku", "claude-3-haiku", "alias", "anthropic"),
        (PROFILE, PROFILE, "hidden", "bedrock"),
        ("endpoints/databricks-claude-sonnet-4-5", "claude-sonnet-4-5", "alias", "gateway"),
        ("anthropic--claude-4.5-sonnet", "claude-sonnet-4-5", "alias", "gateway"),
        ("models%2Fclaude-opus-4-6", "claude-opus-4-6", "pin", "gateway"),
        ("claude-opus-4-6-fast", "claude-opus-4-6", "pin", "anthropic"),
        ("claude-sonnet-4-5-20250929-thinking-high", SONNET_45, "pin", "anthropic"),
        ("claude-haiku-4-5-20251001-batch", "claude-haiku-4-5-20251001", "pin", "anthropic"),
        ("claude-opus-4-6_eu", "claude-opus-4-6", "pin", "anthropic"),
        ("Claude-Sonnet-4.5", "claude-sonnet-4-5", "alias", "anthropic"),
        ('"x\\u0027claude-opus-4-6\\u0027"', "claude-opus-4-6", "pin", "anthropic"),
        ('"model:\\nclaude-opus-4-6"', "claude-opus-4-6", "pin", "anthropic"),
        ("${MODEL:-claude-opus-4-6}", "claude-opus-4-6", "pin", "anthropic"),
        ("${MODEL-claude-opus-4-6}", "claude-opus-4-6", "pin", "anthropic"),
        ("${1-claude-opus-4-6}", "claude-opus-4-6", "pin", "anthropic"),
        ("${A:-${B-claude-opus-4-6}}", "claude-opus-4-6", "pin", "anthropic"),
        ("${MODEL:=claude-opus-4-6}", "claude-opus-4-6", "pin", "anthropic"),
        ("${MODEL:?claude-opus-4-6}", "claude-opus-4-6", "pin", "anthropic"),
        ("${MODEL-us.anthropic.claude-opus-4-6-v1}", "claude-opus-4-6", "pin", "bedrock"),
        ("${MODEL:-databricks-claude-sonnet-4-5}", "claude-sonnet-4-5", "alias", "gateway"),
        ("MODEL ?= claude-opus-4-6", "claude-opus-4-6", "pin", "anthropic"),
        ('{{ .Values.model | default "claude-opus-4-6" }}', "claude-opus-4-6", "pin", "anthropic"),
        ("$env:MODEL ?? 'claude-opus-4-6'", "claude-opus-4-6", "pin", "anthropic"),
        ("${claude-opus-4-6}", "claude-opus-4-6", "pin", "anthropic"),
        ("${MODEL:-claude-nova-5}", "claude-nova-5", "unknown", "anthropic"),
        ("${MODEL-claude-nova-5}", "claude-nova-5", "unknown", "anthropic"),
        ("arn:${AWS::Partition}:bedrock:${AWS::Region}:${AWS::AccountId}:application-inference-profile/ab12",
         "arn:*:bedrock:*:*:application-inference-profile/ab12", "hidden", "bedrock"),
        ("arn:aws:bedrock:${var.region}:123456789012:provisioned-model/ab12",
         "arn:aws:bedrock:*:123456789012:provisioned-model/ab12", "hidden", "bedrock"),
        ("arn:aws:bedrock:{{ region }}:$ACCOUNT:application-inference-profile/ab12",
         "arn:aws:bedrock:*:*:application-inference-profile/ab12", "hidden", "bedrock"),
        *(
            (f'modelId: "{OURS}{own}",', OURS + own, "hidden", "bedrock")
            for own in (
                "custom-model/anthropic.claude-3-haiku-20240307-v1:0:200k/abcdef012345",
                "custom-model-deployment/ab12cd34",
                "prompt-router/ab12cd34",
                "default-prompt-router/anthropic.claude:1",
            )
        ),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0:200k",
         "claude-3-haiku-20240307", "pin", "bedrock"),
        ("claude-nova-5", "claude-nova-5", "unknown", "anthropic"),
        ("us.anthropic.claude-nova-5-20270101-v1:0", "claude-nova-5-20270101-v1:0", "unknown", "anthropic"),
        ("my-claude-opus-4-6", "my-claude-opus-4-6", "unknown", "anthropic"),
        ("claude-opus-4-6x", "claude-opus-4-6x", "unknown", "anthropic"),
    ],
)  # fmt: skip
def test_every_spelling_means_one_model(text: str, model: str, kind: str, provider: str) -> None:
    assert [(s.model, s.kind, s.provider) for s in spellings(text)] == [(model, kind, provider)]


@pytest.mark.parametrize(
    "text",
    ["claude-code", "claude-desktop", "claude-code-2", "claude-code-20250219", "claude-notes-2.md",
     "claude-sonnet-4-5-notes.md", "Claude Sonnet 4.5",
     "claude_sonnet_4_5", "CLAUDE_SONNET_4_5 = os.environ", "CLAUDE_SONNET_LATEST = X", "CLAUDE_HAIKU_MODEL",
     "ChatModel.CLAUDE_SONNET_4_5", "ClaudeModel.CLAUDE_OPUS_4_6", "AnthropicModels.CLAUDE_OPUS_4_7",
     "AnthropicModels.ClaudeCode2", "AnthropicChatModelName.CLAUDE_NAME", "AnthropicChatModelName for Claude Sonnet 4",
     "Claude46Sonnet",
     "arn:aws:bedrock:x:y", f"{OURS}imported-model/ab12", f"{OURS}default-prompt-router/meta.llama:1",
     f"{OURS}custom-model/amazon.titan-text-lite-v1:0:4k/ab12cd34ef56", f"{OURS}prompt-router/*",
     "xclaude-opus-4-6", "claude-3", "claude-"],
)  # fmt: skip
def test_what_is_no_model_id_is_left_alone(text: str) -> None:
    assert list(spellings(text)) == []


HEAD = "---\ndescription: claude-opus-4-6 would do\n%s\n---\nmodel: claude-opus-4-6\n"


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("plugins/p/commands/review.md", HEAD % "model: claude-haiku-7", 1),
        (".opencode/agent/a.md", (HEAD % "model: anthropic/claude-haiku-7").replace("\n", "\r\n"), 1),
        (".github/chatmodes/x.chatmode.md", HEAD % "  'model' : \"claude-haiku-7\"  # claude-opus-4-6 is dear", 1),
        ("a.mdx", "---\nmodel: claude-haiku-7\n", 0),  # it never ends
        ("a.md", HEAD % "# model: claude-haiku-7", 0),
        ("a.md", HEAD % "my-model: claude-haiku-7", 0),
        ("a.md", "\n" + HEAD % "model: claude-haiku-7", 0),
        ("a.md", "# On models\n---\nmodel: claude-haiku-7\n---\n", 0),
        ("a.jsonl", HEAD % "model: claude-haiku-7", 0),
    ],
)
def test_the_model_at_the_head_of_a_text_is_what_reads_it(path: str, text: str, found: int) -> None:
    assert [pin.model for pin in in_code(pins_in(path, text.encode()))] == ["claude-haiku-7"] * found


@pytest.mark.parametrize(
    ("imported", "used", "found"),
    [
        ("import static dev.langchain4j.model.anthropic.AnthropicChatModelName.*;", "CLAUDE_SONNET_4_6", True),
        ("import static com.anthropic.models.messages.Model.*;", "CLAUDE_SONNET_4_6", True),
        ("import com.anthropic.models.messages.Model.*", "CLAUDE_SONNET_4_6", True),
        ("import org.springframework.ai.anthropic.api.AnthropicApi.ChatModel;", "ChatModel.CLAUDE_SONNET_4_6", True),
        ("import static org.springframework.ai.anthropic.api.AnthropicApi.*;", "ChatModel.CLAUDE_SONNET_4_6", True),
        ("import dev.langchain4j.model.anthropic.AnthropicChatModelName;", "CLAUDE_SONNET_4_6", False),
        ("import static com.ours.Names.*;", "CLAUDE_SONNET_4_6", False),
        ("// import static dev.langchain4j.model.anthropic.AnthropicChatModelName.*;", "CLAUDE_SONNET_4_6", False),
        ("import static dev.langchain4j.model.anthropic.AnthropicChatModelName.*;", "CLAUDE_SONNET_KEY", False),
    ],
)
def test_a_constant_goes_by_its_name_alone_where_its_file_imports_it(imported: str, used: str, found: bool) -> None:
    text = f"{imported}\nclass A {{ Object o = m.modelName({used}); }}\n"
    pins = [(pin.line, pin.model) for pin in pins_in("A.java", text.encode())]
    assert pins == ([(2, "claude-sonnet-4-6")] if found else [])


def test_all_ids_of_a_line_are_found_with_their_columns() -> None:
    line = '{"a": "claude-opus-4-6", "b": "us.anthropic.claude-sonnet-4-6-v1"}'
    assert [(s.written, s.column) for s in spellings(line)] == [
        ("claude-opus-4-6", 8),
        ("us.anthropic.claude-sonnet-4-6-v1", 32),
    ]


@given(st.text(max_size=200))
def test_no_text_breaks_the_search_and_what_is_found_stands_there(text: str) -> None:
    for line in (text, f"claude-{text}", f"claude-opus-{text}", f"Model.CLAUDE_{text}", f"{PROFILE}{text}"):
        for found in spellings(line):
            assert line[found.column - 1 :].startswith(found.written)
            assert re.search(SOUGHT, line)


@pytest.mark.long
def test_a_line_of_any_length_is_searched_once_through() -> None:
    long = "a/" * 200_000
    assert [s.model for s in spellings(f"{long} {long}claude-opus-4-6")] == ["claude-opus-4-6"]


@pytest.mark.parametrize(
    ("path", "prose"),
    [("README", True), ("CHANGELOG", True), ("LICENSE", True), ("docs/a.html", True), ("a.html", False),
     ("a.adoc", True), ("a.asciidoc", True), ("a.org", True), ("a.tex", True), ("a.textile", True),
     ("prompts/README", False), ("README.md", True), ("docs/models.rst", True),
     ("prompts/system.md", False), ("app/prompt.txt", False),
     ("notes.txt", True), ("main.py", False), ("infra/main.tf", False), (".github/workflows/ci.yml", False),
     (".claude/agents/reviewer.md", False), ("logs/calls.jsonl", True), ("prompts/calls.jsonl", True)],
)  # fmt: skip
def test_documentation_is_told_from_what_runs(path: str, prose: bool) -> None:
    assert is_prose(path) == prose


@pytest.mark.parametrize(
    ("path", "content", "count"),
    [
        ("a.py", b"m = 'claude-opus-4-6'\n", 1),
        ("a.py", b"m = 'claude-opus-4-6'  # evalkit: ignore\n", 0),
        ("a.bin", b"\0claude-opus-4-6", 0),
        ("evalkit.lock", b'"claude-opus-4-6"', 0),
        ("a.py", b"m = 'claude-opus-4-6'\n" + b" " * 2_000_000, 1),
        ("a.py", b"m = 'claude-opus-4-6'\n" + b" " * 20_000_000, 0),
        ("a.cs", "m = 'claude-opus-4-6'".encode("utf-16"), 1),
        ("a.ps1", b"\xef\xbb\xbfclaude-opus-4-6", 1),
        ("infra/gate.yaml", b"baseline: claude-opus-4-6\nmodel: claude-opus-4-8", 1),
        ("conf.json", b'{"model": "claude-opus-4-6", "rubric_sha256": "0"}', 1),
        ("gate.yaml", b"baseline: claude-opus-4-6", 0),
        ("app.min.js", b"m='claude-opus-4-6'", 0),
        (
            "gate.json",
            b'{"schema_version": 1, "headline": "claude-opus-4-6", "exit": "pass", "gate": {}, "sha256": "0"}',
            0,
        ),
        ("latin.py", b"# caf\xe9\nm = 'claude-opus-4-6'\n", 1),
    ],
)
def test_files_are_read_for_what_they_are(path: str, content: bytes, count: int) -> None:
    assert len(in_code(pins_in(path, content))) == count


@pytest.mark.parametrize("ending", [".html", ".json"])
def test_a_report_of_ours_is_no_code(ending: str) -> None:
    """It names every model of its run, and the judges'; none of them runs because of it."""
    written = {".html": render_html, ".json": render_json}[ending](made("whole"))
    assert "claude-opus-4-6" in written
    assert not list(pins_in(f"report{ending}", written.encode()))
    other = written.replace("default-src", "img-src").replace('"findings"', '"found"')
    assert list(pins_in(f"report{ending}", other.encode()))


def test_a_gates_junit_file_is_no_code() -> None:
    written = "<?xml version='1.0' encoding='utf-8'?>\n<testsuites name=\"evalkit gate\">\nclaude-opus-4-6</testsuites>"
    assert not list(pins_in("gate.xml", written.encode()))
    assert list(pins_in("gate.xml", written.replace("evalkit", "other").encode()))


@pytest.mark.parametrize(
    ("path", "line", "runs"),
    [
        ("app.py", "m = 'claude-opus-4-6'", True),
        ("app.py", "# m = 'claude-opus-4-6'", False),
        ("app.py", "m = x  # once claude-opus-4-6", False),
        ("app.py", "m = '# claude-opus-4-6'", True),
        ("app.py", "m = 'it\\'s # claude-opus-4-6'", True),
        ("a.yaml", "url: http://x/#claude-opus-4-6", True),
        ("a.yaml", "model: claude-opus-4-6  # was claude-opus-4-5", True),
        (".env.production", "# MODEL=claude-opus-4-6", False),
        ("Dockerfile", "# ENV MODEL=claude-opus-4-6", False),
        ("Dockerfile", "ENV MODEL=claude-opus-4-6", True),
        ("Jenkinsfile", "    // claude-opus-4-6", False),
        ("Jenkinsfile", "  MODEL = 'claude-opus-4-6'", True),
        ("a.ts", "call('https://x//claude-opus-4-6')", True),
        ("a.ts", "/* claude-opus-4-6 */", False),
        ("a.ts", " * claude-opus-4-6", True),
        ("a.ts", "/*\n claude-opus-4-6 */", False),
        ("a.ts", "m = `\n/* claude-opus-4-6 */`", True),
        ("main.tf", "p = <<EOT\n/* claude-opus-4-6 */", True),
        ("a.html", "<!--\nclaude-opus-4-6\n-->", False),
        ("a.html", "<!-- x --> claude-opus-4-6", True),
        ("a.sql", "-- claude-opus-4-6", False),
        ("a.ini", "; claude-opus-4-6", False),
        ("a.ini", "url = x ; claude-opus-4-6", True),
        ("a.php", "# claude-opus-4-6", False),
        ("a.php", "#[Model('claude-opus-4-6')]", True),
        ("prod.Dockerfile", "# claude-opus-4-6", False),
        ("a.py", "def f():\n    'Once\\\n    claude-opus-4-6.'", False),
        ("a.py", "def f():\n    'claude-opus-4-6'; return 1", True),
        ("a.py", 'P = """\n# claude-opus-4-6\n"""', True),
        ("a.py", "def f(:\n    'claude-opus-4-6'", True),
        ("a.ts", "/* x */ m = 'claude-opus-4-6'", True),
        ("a.cs", "var n = 1; /* claude-opus-4-6 */", False),
        ("A.java", "int n = 1; /* claude-opus-4-6 */\r\n", False),
        ("a.cs", "f(/* x */ \"claude-opus-4-6\"); /* y */", True),
        ("a.cs", "f( /* x */ \"claude-opus-4-6\" /* y */);", True),
        ("a.cs", "s = \" /* claude-opus-4-6 */", True),
        ("a.js", "f(/* see // docs */ 'claude-opus-4-6');", True),
        ("a.js", "f(/* see // docs */ 1); // claude-opus-4-6", False),
        ("a.js", "f( /* begun // docs 'claude-opus-4-6'", False),
        ("main.tf", "model = \"claude-opus-4-6\" // fine", True),
        ("main.tf", "  # model = \"claude-opus-4-6\"", False),
        ("prompts/a.md", "# claude-opus-4-6", True),
        ("a.json", "// claude-opus-4-6", True),
        ("a.py", "# x\rm = 'claude-opus-4-6'", True),
        ("a.py", "def f():\r    # x\r    '''a\n  b\n  c\n    '''\nm = 'claude-opus-4-6'", True),  # Python counts 3 more
        ("a.py", "# m = 'claude-opus-4-6'\r\n", False),
        ("a.js", "// x\u2028m = 'claude-opus-4-6'", True),
        ("README.md", "x\rclaude-opus-4-6", False),
    ],
)  # fmt: skip
def test_a_comment_only_mentions_and_in_doubt_it_is_none(path: str, line: str, runs: bool) -> None:
    assert next(pins_in(path, f"first\n{line}\n".encode())).prose != runs


def test_in_a_notebook_code_runs_and_notes_and_results_do_not() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["We use claude-opus-4-6\n", "daily"]},
        {"cell_type": "code", "source": ['m = "claude-opus-4-8"\n', "m"], "outputs": [{"text": ["claude-opus-5\n"]}]},
        {
            "cell_type": "code",
            "source": "n = 'claude-sonnet-4-6' # ü",
            "outputs": [{"text": "n = 'claude-sonnet-4-6' # ü"}],
        },
    ]
    notebook = {"cells": cells, "nbformat": 4}
    for ascii_ in (True, False):
        text = json.dumps(notebook, indent=1, ensure_ascii=ascii_)
        found = {pin.model for pin in in_code(pins_in("a.ipynb", text.encode()))}
        assert found == {"claude-opus-4-8", "claude-sonnet-4-6"}
    assert len(in_code(pins_in("a.ipynb", json.dumps(notebook).encode()))) == 5  # on one line nothing is told apart
    assert len(in_code(pins_in("a.ipynb", b"{claude-opus-4-6"))) == 1


@pytest.mark.parametrize(
    "source", ['"source": ["m = \'claude-opus-4-6\'"]', '"source":"m = \'claude-opus-4-6\'"',
               '"source": [\n"m = \\u0027claude-opus-4-6\\u0027"\n]'],
)  # fmt: skip
def test_code_of_a_notebook_runs_however_the_file_is_written(source: str) -> None:
    text = f'{{"cells": [\n{{"cell_type": "code", {source}, "outputs": []}}\n],\n"nbformat": 4}}'
    assert [pin.prose for pin in pins_in("a.ipynb", text.encode())] == [False]


# --- what a change does ---


def changed(then: str, now: str, path: str = "app.py") -> list[tuple[str, str | None, str | None]]:
    found = bumps(pins_in(path, then.encode()), pins_in(path, now.encode()))
    return [(b.change, b.then.model if b.then else None, b.now.model if b.now else None) for b in found]


@pytest.mark.parametrize(
    ("then", "now", "found"),
    [
        (SONNET_45, "claude-sonnet-4-6", [("bump", SONNET_45, "claude-sonnet-4-6")]),
        (f"a\n{SONNET_45}", f"{SONNET_45}\nb", []),
        (f"us.anthropic.{SONNET_45}-v1:0", SONNET_45, []),
        ("", "claude-opus-4-6", [("added", None, "claude-opus-4-6")]),
        ("claude-opus-4-6", "", [("removed", "claude-opus-4-6", None)]),
        ("claude-opus-4-6\nclaude-haiku-4-5-20251001", "claude-haiku-5-5\nclaude-opus-4-8",
         [("bump", "claude-haiku-4-5-20251001", "claude-haiku-5-5"), ("bump", "claude-opus-4-6", "claude-opus-4-8")]),
        ("claude-opus-4-6", "claude-opus-4-6\nclaude-opus-4-6", [("added", None, "claude-opus-4-6")]),
    ],
)  # fmt: skip
def test_a_bump_is_a_new_id_in_place_of_a_gone_one(then: str, now: str, found: list[Any]) -> None:
    assert changed(then, now) == found


@pytest.mark.long
def test_one_bump_among_very_many_like_lines_is_found_at_once() -> None:
    """Compared each with each, these would take a job's two hours."""

    def pins(other: int, model: str) -> list[Pin]:
        models = [model if n == other else SONNET_45 for n in range(50_000)]
        return [Pin("a.py", n + 1, 6, m, m, "pin", "anthropic", prose=False) for n, m in enumerate(models)]

    found = bumps(pins(7, SONNET_45), pins(7, "claude-sonnet-4-6"))
    assert [(b.change, b.now.line if b.now else None) for b in found] == [("bump", 8)]
    both = pins(7, "claude-sonnet-4-6"), pins(40_000, "claude-sonnet-4-6")
    assert [b.now.line if b.now else None for b in bumps(*both)] == [8, 40_001], "as two values that were exchanged"


def in_files(then: dict[str, str], now: dict[str, str]) -> list[tuple[str | None, ...]]:
    """Each change as path, tier of the id before, and of the id now; S, T for two Sonnets, O for an Opus."""
    names = {"S": SONNET_45, "T": "claude-sonnet-4-6", "O": "claude-opus-4-6"}
    letter = {model: name for name, model in names.items()}

    def pins(files: dict[str, str]) -> list[Any]:
        texts = {path: re.sub("<([STO])>", lambda found: names[found[1]], text) for path, text in files.items()}
        return [pin for path, text in texts.items() for pin in pins_in(path, text.encode())]

    found = bumps(pins(then), pins(now))
    told = []
    for bump in found:
        pin = bump.now or bump.then
        assert pin is not None
        told.append((pin.path, *(letter[side.model] if side else None for side in (bump.then, bump.now))))
    return told


def _function(name: str, model: str) -> str:
    return f"function {name}()\n{{\n    return call('<{model}>');\n}}\n"


def _document(name: str, model: str) -> str:
    return f"kind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  MODEL: <{model}>\n"


def _container(name: str, model: str) -> str:
    return f"  - env:\n    - name: MODEL\n      value: <{model}>\n    image: app\n    name: {name}\n"


def _object(name: str, model: str, more: str = "") -> str:
    return f'  {{\n    "name": "{name}",\n    "model": "<{model}>"{more}\n  }}'


def _flat(name: str, model: str) -> str:
    return f'{{\n"name": "{name}",\n"model": "<{model}>"\n}}'


def _rule(name: str, model: str) -> str:
    return f"- model: <{model}>\n  match:\n    path: /{name}\n"


BLOCKS: dict[str, tuple[str, Callable[..., str], str]] = {
    "a brace of its own line": ("a.php", _function, ""),
    "documents": ("a.yaml", _document, "---\n"),
    "containers": ("a.yaml", _container, ""),
    "objects": ("a.json", _object, ",\n"),
    "objects without indentation": ("a.json", _flat, ",\n"),
    "what is matched": ("a.yaml", _rule, ""),
}


@pytest.mark.parametrize(("path", "block", "between"), BLOCKS.values(), ids=BLOCKS)
def test_blocks_may_change_places_and_names_may_not(path: str, block: Callable[..., str], between: str) -> None:
    first, last = ("[\n", "\n]") if path == "a.json" else ("replicas: 1\nrules:\n", "")
    edited = first.replace("1", "2")

    def text(head: str, *blocks: tuple[str, str]) -> dict[str, str]:
        return {path: head + between.join(block(*one) for one in blocks) + last}

    then = text(first, ("chat", "S"), ("batch", "T"))
    assert in_files(then, text(first, ("batch", "T"), ("chat", "S"))) == []
    assert in_files(then, text(edited, ("batch", "T"), ("chat", "S"))) == []
    assert in_files(then, text(first, ("chat", "S"))) == [(path, "T", None)]
    assert in_files(then, text(first, ("new", "O"), ("chat", "S"), ("batch", "T"))) == [(path, None, "O")]
    for head in (first, edited):
        assert sorted(in_files(then, text(head, ("batch", "S"), ("chat", "T")))) == [(path, "S", "T"), (path, "T", "S")]


def _listed(path: str, begin: str, block: str, end: str = "") -> Callable[..., dict[str, str]]:
    """A file of blocks, each a name (#) with its model (@)."""

    def of(*blocks: tuple[str, str]) -> dict[str, str]:
        texts = (block.replace("#", name).replace("@", f"<{model}>") for name, model in blocks)
        return {path: begin + "".join(texts) + end}

    return of


LISTED = {
    "json": _listed("a.json", "[\n", ' {\n  "name": "#",\n  "model": "@",\n  "t": 1\n },\n', " {}\n]"),
    "name last": _listed("a.json", "[\n", ' {\n  "model": "@",\n  "name": "#"\n },\n', " {}\n]"),
    "nested": _listed(
        "a.json", "[\n", ' {\n  "name": "#",\n  "env": [\n   {\n    "value": "@"\n   }\n  ]\n },\n', " {}\n]"
    ),
    "toml": _listed("a.toml", "t = 1\n", '[[route]]\nname = "#"\nmodel = "@"\n\n'),
    "python": _listed("a.py", "R = [\n", '    Route(\n        name="#",\n        model="@",\n    ),\n', "]\n"),
    "yaml": _listed("a.yaml", "routes:\n", "- model: @\n  route: #\n"),
    "values": _listed("a.yaml", "env:\n", "  - value: @\n    name: #\n"),
    "documents": _listed("a.yaml", "", "---\nkind: D\nmetadata:\n  name: #\nspec:\n  model: @\n"),
    "typescript": _listed("a.ts", "export const r = [\n", "  {\n    id: '#',\n    model: '@',\n  },\n", "];\n"),
    "shell": _listed("a.sh", "", "run \\\n  --task # \\\n  --model @\n"),
    "stages": _listed("Dockerfile", "", "FROM base AS #\nENV MODEL=@\n"),
    "calls": _listed("A.java", "class A {\n", '    b = make("#");\n    b.model("@");\n    add(b);\n', "}\n"),
    "go": _listed("a.go", "var R = []Route{\n", '\t{\n\t\tName: "#",\n\t\tModel: "@",\n\t},\n', "}\n"),
    "xml": _listed("a.xml", "<r>\n", "  <bean>\n    <id>#</id>\n    <model>@</model>\n  </bean>\n", "</r>\n"),
}


@pytest.mark.parametrize("text", LISTED.values(), ids=LISTED)
def test_a_block_that_comes_or_goes_hides_no_bump_and_makes_none(text: Callable[..., dict[str, str]]) -> None:
    chat, tags, plan = ("chat", "S"), ("tags", "T"), ("plan", "T")
    (path,) = text()
    for then in (text(chat, tags), text(tags, chat)):
        assert in_files(then, text(("chat", "T"))) == [(path, "S", "T"), (path, "T", None)]
        assert {*in_files(text(("chat", "T")), then)} == {(path, "T", "S"), (path, None, "T")}
        assert in_files(then, text(chat)) == [(path, "T", None)]
        assert in_files(then, text(tags)) == [(path, "S", None)]
        assert in_files(text(chat), then) == [(path, None, "T")]
        assert in_files(text(tags), then) == [(path, None, "S")]
    assert (path, "S", "T") in in_files(text(chat, tags, plan), text(("chat", "T"), plan))
    assert (path, "S", "T") in in_files(text(chat), text(("old", "S"), ("chat", "T")))


@pytest.mark.parametrize("more", ["", ',\n    "timeout": 5'])
def test_a_setting_that_changes_in_all_blocks_hides_no_exchange_and_makes_none(more: str) -> None:
    then = {"a.json": f"[\n{_object('chat', 'S', more)},\n{_object('batch', 'T', more)}\n]"}
    now = ',\n    "timeout": 9'
    moved = {"a.json": f"[\n{_object('batch', 'T', now)},\n{_object('chat', 'S', now)}\n]"}
    assert in_files(then, moved) == []
    exchanged = {"a.json": f"[\n{_object('batch', 'S', now)},\n{_object('chat', 'T', now)}\n]"}
    assert len(in_files(then, exchanged)) == 2


@pytest.mark.parametrize(
    ("then", "now", "found"),
    [
        # in files that are called otherwise now
        ({"a.yaml": "live: <S>\nnext: <T>"}, {"conf/a.yaml": "live: <T>\nnext: <S>"},
         [("conf/a.yaml", "S", "T"), ("conf/a.yaml", "T", "S")]),
        ({"live/c.yaml": "m: <S>", "next/c.yaml": "m: <T>"}, {"env/live/c.yaml": "m: <T>", "env/next/c.yaml": "m: <S>"},
         [("env/live/c.yaml", "S", "T"), ("env/next/c.yaml", "T", "S")]),
        ({"a.py": "def f():\n  return '<S>'", "b.py": "def g():\n  return '<T>'"},
         {"a.py": "def g():\n  return '<T>'", "b.py": "def f():\n  return '<S>'"}, []),
        # two values exchanged
        ({"a.yaml": "fast: <S>\nsmart: <T>"}, {"a.yaml": "fast: <T>\nsmart: <S>"},
         [("a.yaml", "S", "T"), ("a.yaml", "T", "S")]),
        ({"a.yaml": "m:\n - <S>\n - <T>"}, {"a.yaml": "m:\n - <T>\n - <S>"},
         [("a.yaml", "S", "T"), ("a.yaml", "T", "S")]),
        ({"a.py": "m = '<S>', '<T>'"}, {"a.py": "m = '<T>', '<S>'"}, [("a.py", "S", "T"), ("a.py", "T", "S")]),
        ({"a.yaml": "fast:\n  m: <S>\nsmart:\n  m: <T>"}, {"a.yaml": "fast:\n  m: <T>\nsmart:\n  m: <S>"},
         [("a.yaml", "S", "T"), ("a.yaml", "T", "S")]),
        ({"prod.yaml": "m: <S>", "canary.yaml": "m: <T>"}, {"prod.yaml": "m: <T>", "canary.yaml": "m: <S>"},
         [("canary.yaml", "T", "S"), ("prod.yaml", "S", "T")]),
        # or what says whose values they are
        *(
            ({path: text.replace("1", "prod").replace("2", "next")},
             {path: text.replace("1", "next").replace("2", "prod")}, [(path, "T", "S"), (path, "S", "T")])
            for path, text in (
                ("a.ini", "[1]\nmodel = <S>\n\n[2]\nmodel = <T>\n"),
                ("a.toml", "[llm.1]\nt = 0\nmodel = '<S>'\n[llm.2]\nt = 0\nmodel = '<T>'\n"),
                ("a.toml", "[[llm]]\nname = '1'\nmodel = '<S>'\n[[llm]]\nname = '2'\nmodel = '<T>'\n"),
                ("a.yaml", "1:\n- model: <S>\n2:\n- model: <T>"),
                ("a.yaml", "- model: <S>\n  name: 1\n- model: <T>\n  name: 2"),
                ("a.yaml", "- name: 1\n  params:\n    m: <S>\n- name: 2\n  params:\n    m: <T>"),
                ("a.py", "R = {'1': '<S>', '2': '<T>'}"),
                ("a.py", "run(1, model='<S>'); run(2, model='<T>')"),
                ("a.json", '{"1":{"model":"<S>"},"2":{"model":"<T>"}}'),
                ("a.json", '[{"name":"1","model":"<S>"},{"name":"2","model":"<T>"}]'),
                ("a.json", '[\n {\n  "name": "1",\n  "m": "<S>"\n },\n {\n  "name": "2",\n  "m": "<T>"\n }\n]'),
                ("a.json", '[\n {\n  "m": "<S>",\n  "name": "1"\n },\n {\n  "m": "<T>",\n  "name": "2"\n }\n]'),
                ("a.json", '[\n {\n  "p": {\n   "m": "<S>"\n  },\n  "id": 1\n },\n'
                 ' {\n  "p": {\n   "m": "<T>"\n  },\n  "id": 2\n }\n]'),
            )
        ),
        ({"a.ini": "[prod]\nm = <S>\n[next]\nm = <T>"}, {"a.ini": "[old]\nm = <S>\n[prod]\nm = <T>"},
         [("a.ini", "T", "S"), ("a.ini", "S", "T")]),
        # also where their blocks go to another file
        ({"a.yaml": "s:\n  f:\n    m: <S>\n  g:\n    m: <T>\n  h:\n    m: <O>"},
         {"a.yaml": "s:\n  h:\n    m: <O>", "b.yaml": "s:\n  f:\n    m: <T>\n  g:\n    m: <S>"},
         [("b.yaml", "S", "T"), ("b.yaml", "T", "S")]),
        ({"a/.env": "M=<S>\nN=<T>", "b/.env": "O=<O>"}, {"b/.env": "O=<O>\nM=<T>\nN=<S>"},
         [("b/.env", "S", "T"), ("b/.env", "T", "S")]),
        ({"a.yaml": "- n: 1\n- id: f\n  m: <S>\n- id: g\n  m: <T>", "b.yaml": "- id: h\n  m: <O>"},
         {"a.yaml": "- n: 1", "b.yaml": "- id: g\n  m: <S>\n- id: f\n  m: <T>\n- id: h\n  m: <O>"},
         [("b.yaml", "T", "S"), ("b.yaml", "S", "T")]),
        ({"a.yaml": "f:\n  m: <S>", "b.yaml": "g:\n  m: <T>\nh:\n  m: <O>"},
         {"a.yaml": "h:\n  m: <O>", "b.yaml": "f:\n  m: <T>"}, [("b.yaml", "S", "T"), ("b.yaml", "T", None)]),
        # also where what they stand among tells little: in doubt it is a bump
        ({"a.yaml": "s:\n- {n: f, t: 1, m: <S>}\n- {n: g, m: <T>}"}, {"a.yaml": "s:\n- {n: g, t: 2, m: <S>}"},
         [("a.yaml", "T", "S"), ("a.yaml", "S", None)]),
        ({"a.sh": "run \\\n -t f \\\n -x 9 \\\n -m <S>\nrun \\\n -t g \\\n -x 1 \\\n -m <T>"},
         {"a.sh": "run \\\n -t f \\\n -x 1 \\\n -m <T>"}, [("a.sh", "S", "T"), ("a.sh", "T", None)]),
        # a change around them, or a member less, is none of theirs
        ({"a.ini": "[prod]\nt = 0\nm = <S>\n[next]\nt = 0\nm = <T>"},
         {"a.ini": "[live]\nt = 1\nm = <S>\n[next]\nt = 2\nm = <T>"}, []),
        ({"a.yaml": "models:\n- <S>\n- <T>\n- <O>"}, {"a.yaml": "models:\n- <T>\n- <O>"}, [("a.yaml", "S", None)]),
        ({"a.json": '["<S>", "<T>", "<O>"]'}, {"a.json": '["<T>", "<O>"]'}, [("a.json", "S", None)]),
        ({"a.py": "f(a=1, m='<S>', n='<T>')"}, {"a.py": "f(b=1, m='<S>', c=2, n='<T>')"}, []),
        ({"a.py": "a()\nm('<S>')\nb()\nm('<T>')"}, {"a.py": "b()\nm('<S>')\na()\nm('<T>')"}, []),
        # an exchange of lines is none of values
        ({"a.yaml": "fast: <S>\nsmart: <T>"}, {"a.yaml": "smart: <T>\nfast: <S>"}, []),
        ({"a.yaml": "fast:\n  m: <S>\nsmart:\n  m: <T>"}, {"a.yaml": "smart:\n  m: <T>\nfast:\n  m: <S>"}, []),
        ({"a.py": "M = '<S>'\nN = '<O>'"}, {"a.py": "MODEL = '<S>'\nOTHER = '<O>'"}, []),
        ({"a.py": "M = '<S>'"}, {"b.py": "M = '<S>'"}, []),
        ({"a.py": "M = '<S>'", "b.py": "M = '<T>'"}, {"c.py": "M = '<T>'"}, [("a.py", "S", None)]),
        # a bump is none the less one for what goes elsewhere
        ({"a.py": "M = '<S>'", "b.py": "M = '<T>'"}, {"a.py": "M = '<T>'"}, [("a.py", "S", "T"), ("b.py", "T", None)]),
        ({"a.py": "M = '<S>'\n\n\n\nO = '<T>'"}, {"a.py": "MODEL = '<T>'"}, [("a.py", "S", "T"), ("a.py", "T", None)]),
        ({"prod.yaml": "m: <S>", "canary.yaml": "m: <T>"}, {"prod.yaml": "m: <T>", "canary.yaml": "m: <O>"},
         [("canary.yaml", "T", "O"), ("prod.yaml", "S", "T")]),
        # what is replaced is looked for where it stood first
        ({"z.py": "M = '<S>'"}, {"a.py": "N = '<T>'", "z.py": "M = '<O>'"}, [("a.py", None, "T"), ("z.py", "S", "O")]),
        ({"z.py": "x = 1\nm('<S>')"}, {"z.py": "o = '<O>'\nn('<T>')"}, [("z.py", None, "O"), ("z.py", "S", "T")]),
    ],
)  # fmt: skip
def test_a_place_is_compared_with_itself(
    then: dict[str, str], now: dict[str, str], found: list[tuple[str | None, ...]]
) -> None:
    assert in_files(then, now) == found


@pytest.mark.long
def test_a_line_may_hold_whatever_marks_an_id_and_very_many_of_them() -> None:
    """With what stands before each of them looked at anew, these would take minutes."""
    zero = f"{'x' * 9000}\nm = '\0{SONNET_45}\0', '\0claude-opus-4-6'"
    assert [pin.model for pin in pins_in("a.py", zero.encode())] == [SONNET_45, "claude-opus-4-6"]
    line = "{" + ", ".join(f'"k{n}": "{SONNET_45}"' for n in range(20_000)) + "}"
    places = [pin.places for pin in pins_in("a.json", line.encode())]
    assert len({one[-2] for one in places}) == len({one[-1] for one in places}) == 20_000


@pytest.mark.long
def test_a_file_of_very_many_keys_is_read_once_through() -> None:
    """With the file's lines gathered for each of them anew, these would take minutes."""
    text = "\n".join(f"m{n} = '{SONNET_45}'" for n in range(20_000))
    assert len(list(pins_in("a.py", text.encode()))) == 20_000


def test_prose_changes_no_pin() -> None:
    assert changed("claude-opus-4-6", "claude-opus-4-8", "README.md") == []


# --- what is known ---


def test_facts_tell_retirement_and_the_price_of_the_same_text() -> None:
    facts = facts_of(SONNET_45, datetime(2026, 11, 26, tzinfo=UTC))
    assert (facts.lifecycle, facts.retires) == ("deprecated", "2026-11-30")
    change = next(c for c in facts.newer if c.model == "claude-sonnet-5-5")
    assert change.input_ratio is not None
    assert change.input_per_text == pytest.approx(1.3 * change.input_ratio)


@pytest.mark.parametrize(
    ("model", "lifecycle", "retires"),
    [
        ("claude-opus-4-1-20250805", "retired", "2026-08-05"),
        ("claude-3-5-sonnet-20241022", "retired", "2025-10-28"),
        ("claude-3-7-sonnet-20250219", "retired", "2026-02-19"),
        ("claude-3-7-sonnet", "retired", "2026-02-19"),
        ("claude-3-haiku-20240307", "retired", "2026-04-20"),
        ("claude-opus-4-5-20251101", "deprecated", "2027-01-22"),
        ("claude-opus-4-5", "deprecated", "2027-01-22"),
        ("claude-1.0", "retired", "2024-11-06"),
        ("claude-instant-1-1", "retired", "2024-11-06"),
        ("claude-2.0", "retired", "2025-07-21"),
        ("claude-2", "retired", "2025-07-21"),
        ("claude-instant-1", "retired", "2024-11-06"),
        ("claude-mythos-preview", "retired", "2026-06-30"),
        ("claude-opus-4-6", "active", None),
        (PROFILE, "unknown", None),
    ],
)
def test_earlier_models_are_known_by_their_retirement(model: str, lifecycle: str, retires: str | None) -> None:
    facts = facts_of(model, datetime(2026, 11, 26, tzinfo=UTC))
    assert (facts.lifecycle, facts.retires) == (lifecycle, retires)
    assert bool(facts.newer) == (facts.tier is not None)


@pytest.mark.parametrize(
    ("day", "lifecycle", "soon"),
    [("2026-09-30", "deprecated", False), ("2026-10-01", "deprecated", True), ("2026-11-29", "deprecated", True),
     ("2026-11-30", "retired", True)],
)  # fmt: skip
def test_a_pin_retires_on_its_day_and_is_warned_about_60_days_before(day: str, lifecycle: str, soon: bool) -> None:
    then = datetime.fromisoformat(day).replace(tzinfo=UTC)
    facts = facts_of(SONNET_45, then)
    assert (facts.lifecycle, facts.retires_soon(then.date())) == (lifecycle, soon)


def test_a_price_change_tells_the_cliff_of_the_newer_model() -> None:
    """A tenth of the price a token is half of it in a long prompt."""
    change = price_change("claude-haiku-4-5", "claude-haiku-5-5", datetime(2026, 11, 26, tzinfo=UTC))
    assert priced(change) == (
        "price 0.10× a token, about 0.13× the same text; 5 times as much in prompts of more than 100,000 tokens"
    )
    assert price_change("claude-haiku-5-5", "claude-haiku-4-5", datetime(2026, 11, 26, tzinfo=UTC)).price_cliff is None


def test_an_unknown_model_has_no_price_change() -> None:
    change = price_change("claude-sonnet-9", "claude-sonnet-4-6", datetime(2026, 11, 26, tzinfo=UTC))
    assert (change.input_ratio, change.input_per_text) == (None, None)
    assert facts_of("claude-sonnet-9", datetime(2026, 11, 26, tzinfo=UTC)).lifecycle == "unknown"
