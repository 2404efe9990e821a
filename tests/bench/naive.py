"""The script a user would write: the yardstick. Arguments: dataset, base URL, requests in flight, output, models."""

import asyncio
import json
import sys
from pathlib import Path
from time import perf_counter

import anthropic


async def main(dataset: str, base_url: str, in_flight: str, output: str, *models: str) -> None:
    """Send every item to every model, and write a line for each answer."""
    items = [json.loads(line) for line in Path(dataset).read_text().splitlines()]
    client = anthropic.AsyncAnthropic(api_key="local", base_url=base_url)
    slots = asyncio.Semaphore(int(in_flight))
    with Path(output).open("w") as file:

        async def one(item: dict, model: str) -> None:
            async with slots:
                began, ttft, texts = perf_counter(), None, []
                turns = [{"role": "user", "content": item["input"]}]
                stream = await client.messages.create(model=model, max_tokens=1024, messages=turns, stream=True)
                request_id = stream.response.headers["request-id"]
                async for event in stream:
                    if event.type == "content_block_delta":
                        ttft = ttft or perf_counter() - began
                        texts.append(event.delta.text)
                total = perf_counter() - began
            row = {"id": item["id"], "model": model, "request_id": request_id, "text": "".join(texts)}
            file.write(json.dumps(row | {"ttft_s": ttft, "latency_s": total}) + "\n")

        calls = (one(item, model) for item in items for model in models)
        await asyncio.gather(*calls, return_exceptions=True)


asyncio.run(main(*sys.argv[1:]))
