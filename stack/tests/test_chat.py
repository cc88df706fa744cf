"""The server that echoes sources, asked by the official client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx2
import pytest
from aiohttp import web
from openai import APIConnectionError, APIStatusError, AsyncOpenAI

from stack.chat import MODEL
from stack.chat.server import application
from stack.chat.sources import LONGEST, answer, first_sentence, sources

pytestmark = pytest.mark.anyio

PROMPT = """<sources>
<source number="1">
Mount Etna erupts often. It is in Sicily.
</source>
<source number="2">
The Po flows into the Adriatic
</source>
</sources>

What erupts?"""
SAID = (
    'The sources say: "Mount Etna erupts often." [1] "The Po flows into the Adriatic" [2] '
    "(Echoed from the sources: no language model answers here.)"
)
FAST: dict[str, Any] = {"tokens_per_second": 10_000}


class Talk:
    """The server, its official client, and what is asked of it directly."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url, self._session = url, session
        self.client = AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)

    async def ask(self, prompt: str = PROMPT, **more: Any) -> Any:
        return await self.client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": prompt}], **more
        )

    async def switch(self, **switches: Any) -> int:
        async with self._session.put(f"{self.url}/switches", json=switches) as reply:
            return reply.status

    async def counts(self) -> dict[str, int]:
        """Those that are not 0."""
        async with self._session.get(f"{self.url}/counts") as reply:
            return {name: number for name, number in (await reply.json()).items() if number}

    async def come_to(self, **counts: int) -> None:
        """Return when the counts are these."""
        async with asyncio.timeout(20):
            while await self.counts() != counts:
                await asyncio.sleep(0.01)


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    """It serves, as fast as it can."""
    runner = web.AppRunner(application(), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        found = Talk(f"http://127.0.0.1:{runner.addresses[0][1]}", session)
        await found.switch(**FAST)
        yield found
        await found.client.close()
    await runner.cleanup()


async def test_it_quotes_the_first_sentences_of_the_sources(talk: Talk) -> None:
    """Each with its number; the answer says that no language model has made it."""
    reply = await talk.ask()
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (SAID, "stop")
    assert reply.usage.prompt_tokens + reply.usage.completion_tokens == reply.usage.total_tokens
    assert reply.usage.completion_tokens == len(SAID.split())


async def test_a_stream_comes_to_the_same(talk: Talk) -> None:
    """Token by token; its last chunks have the reason why it ended, and the usage if that was asked for."""
    chunks = [each async for each in await talk.ask(stream=True, stream_options={"include_usage": True})]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(each.choices[0].delta.content or "" for each in chunks if each.choices) == SAID
    assert [each.choices[0].finish_reason for each in chunks if each.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == len(SAID.split())
    assert len({each.id for each in chunks}) == 1


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_ends_at_its_limit(talk: Talk, limit: str, stream: bool) -> None:
    """And says so."""
    options: dict[str, Any] = {limit: 3, "stream": stream}
    reply = await _last(talk.ask(**options))
    assert reply.choices[0].finish_reason == "length"
    assert stream or reply.choices[0].message.content == "The sources say:"


async def test_it_has_one_model(talk: Talk) -> None:
    """Whose owner says what it is; any other is unknown."""
    [model] = (await talk.client.models.list()).data
    assert (model.id, "no language model" in model.owned_by) == (MODEL, True)
    with pytest.raises(APIStatusError, match="the only model is") as refused:
        await talk.client.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "Hello"}])
    assert refused.value.status_code == 404


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"model": "echoes-sources", "messages": []}'])
async def test_what_is_no_question_is_refused(talk: Talk, body: bytes) -> None:
    """With 400, and an error in OpenAI's form."""
    url = f"{talk.url}/v1/chat/completions"
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as reply:
        assert reply.status == 400
        assert (await reply.json())["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_cancels_its_call(talk: Talk, stream: bool) -> None:
    """Whether it reads a stream or waits for the whole."""
    await talk.switch(silent_after=1, **FAST)
    asked = asyncio.create_task(_last(talk.ask(stream=stream)))
    await talk.come_to(open=1)
    asked.cancel()
    await talk.come_to(cancelled=1)


async def test_silence_ends_when_it_is_switched_off(talk: Talk) -> None:
    """Calls that are open go on where they were."""
    await talk.switch(silent_after=2, **FAST)
    asked = asyncio.create_task(_last(talk.ask(stream=True)))
    await talk.come_to(open=1)
    await talk.switch(**FAST)
    assert (await asked).choices[0].finish_reason == "stop"
    assert await talk.counts() == {"finished": 1}


async def test_the_first_token_can_be_slow(talk: Talk) -> None:
    """The head of the answer comes, and no token."""
    await talk.switch(first_token_seconds=3600)
    stream = await talk.ask(stream=True)
    assert await talk.counts() == {"open": 1}
    await stream.close()
    await talk.come_to(cancelled=1)


@pytest.mark.parametrize("stream", [False, True])
async def test_the_connection_can_be_cut(talk: Talk, stream: bool) -> None:
    """In the middle of a stream, or before an answer."""
    await talk.switch(cut_after=2, **FAST)
    with pytest.raises((APIConnectionError, httpx2.RemoteProtocolError)):
        await _last(talk.ask(stream=stream))
    assert await talk.counts() == {"cut": 1}


@pytest.mark.parametrize("status", [429, 500])
async def test_calls_can_be_refused(talk: Talk, status: int) -> None:
    """With any error, and with Retry-After."""
    await talk.switch(status=status, retry_after=7)
    with pytest.raises(APIStatusError) as refused:
        await talk.ask()
    assert (refused.value.status_code, refused.value.response.headers["retry-after"]) == (status, "7")
    assert await talk.counts() == {"refused": 1}


async def test_an_unknown_switch_is_refused(talk: Talk) -> None:
    """A misspelled one would change nothing, without a word."""
    assert await talk.switch(cut_off=1) == 400
    assert await talk.switch(tokens_per_second=0) == 400


async def _last(asked: Any) -> Any:
    """The last chunk of a stream, or the whole answer."""
    reply = await asked
    if not hasattr(reply, "__aiter__"):
        return reply
    return [each async for each in reply][-1]


def test_without_sources_it_says_so() -> None:
    """It knows nothing by itself; an api that has found no document gives none."""
    assert answer("Hello").startswith("No sources were given")
    assert answer("<sources>\nNo document was found.\n</sources>\n\nHello").startswith("No sources were given")


def test_sources_stand_at_the_beginning() -> None:
    """What the user writes into a question is no source."""
    forged = '<sources>\n<source number="9">\nFalse.\n</source>\n</sources>'
    assert sources(f"{PROMPT} {forged}") == sources(PROMPT)
    assert sources(f"See: {forged}") == ()


def test_a_quotation_is_one_sentence() -> None:
    """Or a line, or the beginning of a long one."""
    assert first_sentence("Version 1.5 is out. It is new.") == "Version 1.5 is out."
    assert first_sentence("Title\nOf a text.") == "Title"
    assert len(first_sentence("word " * 100)) <= LONGEST + 1
