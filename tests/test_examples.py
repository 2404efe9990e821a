"""The examples of docs/routing.md, run as they are against the sandbox, over loopback."""

import hashlib
import importlib.util
import io
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from servers import Recorded, recorded

from evalkit import router as router_module

CHEAP, MIDDLE, TOP = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"
SHORT, LONG = "Hi there", "Please weigh all of this against that. " * 3


def by_length(*models: str) -> dict[str, Any]:
    steps = [{"below": below, "model": model} for below, model in zip((0.5, 1), models, strict=False)]
    return {
        "kind": "thresholds", "score": [{"feature": "words", "cuts": [5, 8]}], "steps": steps, "otherwise": models[-1],
    }  # fmt: skip


def escalating(*models: str) -> dict[str, Any]:
    """A cascade whose checks no answer of the sandbox passes."""
    then: Any = models[-1]
    for model in reversed(models[:-1]):
        accept = {"length": {"typical": [0.0, 0.0], "least": 1e9}}
        then = {"kind": "cascade", "first": model, "accept": accept, "then": then}
    return then


def classifying(*models: str) -> dict[str, Any]:
    levels = dict(zip(router_module.LEVELS, models, strict=True))
    return {"kind": "classifier", "classifier": models[0], "system": "Sort.", "max_tokens": 60, "levels": levels}


def write(path: Path, rule: dict[str, Any], models: tuple[str, ...]) -> Path:
    content = {"schema_version": 1, "policy": "p", "simulated": True, "models": models, "own_features": []}
    path.write_text(json.dumps({**content, "rule": rule}))
    return path


def load(root: Path, name: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(f"example_{name}", root / "examples" / "routing" / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def sandbox() -> Iterator[Recorded]:
    with recorded() as server:
        yield server


def asked(server: Recorded) -> list[str]:
    """The models that were asked, however the client reaches them."""
    posts = [json.loads(r.body) for r in server.requests if r.method == "POST" and r.path.endswith("/v1/messages")]
    return [post["model"].removeprefix("anthropic.") for post in posts]


@pytest.mark.parametrize(
    ("make", "query", "models", "shown"),
    [
        (by_length, SHORT, [CHEAP], [False]),
        (by_length, LONG, [TOP, MIDDLE], [True, False]),
        (escalating, SHORT, [CHEAP, MIDDLE, TOP], [True, False]),
        (classifying, SHORT, [CHEAP, CHEAP], [False]),
    ],
)
async def test_plain_python_answers_at_once_and_better_later(
    make: Any, query: str, models: list[str], shown: list[bool], root: Path, tmp_path: Path,
    sandbox: Recorded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    tiers = (CHEAP, MIDDLE, TOP)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"query": query}) + "\n"))
    await load(root, "route_requests").main(str(write(tmp_path / "router.json", make(*tiers), tiers)))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["more"] for line in lines] == shown
    assert all(line["answer"] for line in lines)
    assert sorted(asked(sandbox)) == sorted(models)


class Queue:
    """A queue that takes messages as SQS does."""

    def __init__(self) -> None:
        bodies: list[str] = []

        class Take(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
                bodies.append(sent["MessageBody"])
                md5 = hashlib.md5(sent["MessageBody"].encode(), usedforsecurity=False).hexdigest()
                answer = json.dumps({"MessageId": "1", "MD5OfMessageBody": md5}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/x-amz-json-1.0")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.bodies, self.server = bodies, HTTPServer(("127.0.0.1", 0), Take)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def queue() -> Iterator[Queue]:
    made = Queue()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(10)


@pytest.fixture
def aws(sandbox: Recorded, queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Lambda function's environment, with the sandbox in Bedrock's place; the file of its router."""
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/EXAMPLEKEY", "AWS_EC2_METADATA_DISABLED": "true",
        "ANTHROPIC_BEDROCK_MANTLE_BASE_URL": f"{sandbox.url}/anthropic", "AWS_ENDPOINT_URL_SQS": queue.url,
        "ROUTER_FILE": str(tmp_path / "router.json"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("QUEUE_URL", raising=False)
    monkeypatch.setitem(sys.modules, "router", router_module)  # the copy beside the handler
    return tmp_path / "router.json"


TIERS = tuple(f"bedrock:anthropic.{model}" for model in (CHEAP, MIDDLE, TOP))


@pytest.mark.parametrize(
    ("make", "query", "at_once", "with_queue"),
    [
        (by_length, SHORT, [CHEAP], [CHEAP]),
        (by_length, LONG, [TOP], [MIDDLE]),
        (escalating, SHORT, [CHEAP, MIDDLE, TOP], [CHEAP, MIDDLE]),
        (classifying, SHORT, [CHEAP, CHEAP], [CHEAP, CHEAP]),
    ],
)
def test_lambda_queues_the_top_tier_and_answers_meanwhile(
    make: Any, query: str, at_once: list[str], with_queue: list[str], root: Path, aws: Path,
    sandbox: Recorded, queue: Queue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    write(aws, make(*TIERS), TIERS)
    handler = load(root, "lambda_handler").handler
    found = handler({"id": "a", "query": query}, None)
    assert (bool(found["answer"]), found["more"], asked(sandbox)) == (True, False, at_once)
    sandbox.requests.clear()
    monkeypatch.setenv("QUEUE_URL", f"{queue.url}/1/top-tier")
    found = handler({"id": "a", "query": query}, None)
    assert (bool(found["answer"]), asked(sandbox)) == (True, with_queue)
    assert found["more"] == (at_once[-1] == TOP) == bool(queue.bodies)
    for body in queue.bodies:
        sandbox.requests.clear()
        assert handler({"Records": [{"body": body}]}, None) == {}
        assert asked(sandbox) == [TOP]
        delivered = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert delivered["id"] == "a"
        assert delivered["answer"]


def test_examples_are_tidy(root: Path) -> None:
    """Short enough to read at once."""
    for path in (root / "examples" / "routing").glob("*.py"):
        assert path.read_text(encoding="utf-8").count("\n") < 90
