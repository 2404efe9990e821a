"""Answer requests with the models that router.json names: python route_requests.py router.json < requests.jsonl

Each line is {"query": ..., "documents": [...], "tags": [...]}. Copy evalkit/router.py, or install evalkit.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

import anthropic

from evalkit.router import Output, Request, Router

Show = Callable[[str, bool], Awaitable[None]]
"""Takes an answer, and whether a better one follows."""


async def ask(client: anthropic.AsyncAnthropic, model: str, request: Request) -> Output:
    """One model's answer, asked as it was when the policy was evaluated."""
    prompt = "\n\n".join([*request.documents, request.query])
    messages: list[anthropic.types.MessageParam] = [{"role": "user", "content": prompt}]
    try:
        answer = await client.messages.create(model=model, max_tokens=1024, messages=messages)
    except anthropic.APIError:
        return Output(model, "")  # a failed call is an output without text, which a cascade escalates
    text = "".join(block.text for block in answer.content if block.type == "text")
    return Output(model, text, answer.stop_reason)


async def classified(client: anthropic.AsyncAnthropic, router: Router, request: Request) -> str | None:
    """What the classifying model says, where the policy has one."""
    question = router.classify(request)
    if question is None:
        return None
    try:
        answer = await client.messages.create(**question)
    except anthropic.APIError:
        return ""
    return "".join(block.text for block in answer.content if block.type == "text")


async def answer(client: anthropic.AsyncAnthropic, router: Router, request: Request, show: Show) -> None:
    """Show the answer; where the top tier is asked, first that of the next cheaper model, so that nobody waits."""
    decision, output = router.decide(request, await classified(client, router, request)), None
    while decision is not None:
        if decision.meanwhile is None:
            output = await ask(client, decision.model, request)
        else:
            top = asyncio.create_task(ask(client, decision.model, request))
            if output is None or output.model != decision.meanwhile:
                output = await ask(client, decision.meanwhile, request)
            if output.text:
                await show(output.text, True)
            output = await top
        decision = router.review(request, output)
    await show(output.text if output else "", False)


async def main(path: str) -> None:
    """Print each answer as a line of JSON; `more` says that a better one follows."""
    router = Router.read(path)

    async with anthropic.AsyncAnthropic() as client:
        for line in sys.stdin:
            request = Request(**json.loads(line))

            async def show(text: str, more: bool, query: str = request.query) -> None:
                print(json.dumps({"query": query, "answer": text, "more": more}), flush=True)

            await answer(client, router, request, show)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
