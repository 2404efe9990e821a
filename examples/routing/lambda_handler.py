"""AWS Lambda: answer a request with the Bedrock model that router.json names; the top tier by way of a queue.

Deploy router.py (a copy of evalkit/router.py), router.json and `anthropic[bedrock]`, with the function's queue in
QUEUE_URL, and let that queue call the same function. Without QUEUE_URL every caller waits for the model decided on.
"""

import json
import os
from pathlib import Path
from typing import Any

import anthropic
import boto3
from router import Output, Request, Router

ROUTER = Router.read(os.environ.get("ROUTER_FILE", Path(__file__).with_name("router.json")))
CLAUDE = anthropic.AnthropicBedrockMantle()


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """A caller's {"id", "query", "documents", "tags"}, or what this function put into the queue."""
    if "Records" in event:
        for record in event["Records"]:
            job = json.loads(record["body"])
            deliver(job["id"], ask(job["model"], _request(job)).text)
        return {}
    request = _request(event)
    decision = ROUTER.decide(request, _classified(request))
    output = None
    while decision is not None:
        queued = decision.meanwhile is not None and _queue({**event, "model": decision.model})
        model = decision.meanwhile if queued else decision.model
        if output is None or output.model != model:
            output = ask(model, request)
        if queued:
            return {"answer": output.text, "more": True}
        decision = ROUTER.review(request, output)
    return {"answer": output.text, "more": False}


def ask(model: str, request: Request) -> Output:
    """One model's answer. Bedrock's ids are plain here: profiles and ARNs take `AnthropicBedrock` instead."""
    prompt = "\n\n".join([*request.documents, request.query])
    try:
        return _output(model, messages=[{"role": "user", "content": prompt}], max_tokens=1024)
    except anthropic.APIError:
        return Output(model, "")  # a failed call is an output without text, which a cascade escalates


def deliver(job: str, text: str) -> None:
    """Put the top tier's answer where the caller looks for it, such as a table; here it is logged."""
    print(json.dumps({"id": job, "answer": text}))


def _output(model: str, **asked: Any) -> Output:
    answer = CLAUDE.messages.create(model=model.removeprefix("bedrock:"), **asked)
    return Output(model, "".join(part.text for part in answer.content if part.type == "text"), answer.stop_reason)


def _classified(request: Request) -> str | None:
    question = ROUTER.classify(request)
    try:
        return None if question is None else _output(**question).text
    except anthropic.APIError:
        return ""


def _queue(job: dict[str, Any]) -> bool:
    """Have the top tier asked later; False where there is no queue."""
    url = os.environ.get("QUEUE_URL")
    if url:
        boto3.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(job))
    return bool(url)


def _request(event: dict[str, Any]) -> Request:
    return Request(event["query"], event.get("documents", ()), event.get("tags", ()))
