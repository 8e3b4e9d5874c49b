"""`mybot web`: talk with a persona in the browser (Gradio), on this machine unless --share says otherwise."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from html import escape
from importlib.util import find_spec
from typing import Any

from rich.console import Console

from bot import words
from bot.console import Conversation, engine_for, known
from bot.engine.wire import Talker
from bot.engine.worker import open_talker
from bot.faults import told
from bot.persona.facts import Facts
from config.errors import EngineError, SettingsError
from config.settings import Web

console = Console(highlight=False, stderr=True)

SHARE_WARNING = (
    "warning: --share makes a public link through Gradio's servers. Everybody who has it can talk to this\n"
    "         persona, and what it says was learned from private chats. It ends when mybot ends."
)


def main(knobs: Web) -> None:
    if find_spec("gradio") is None:
        raise SettingsError("Gradio isn't installed", hint="pip install -c constraints.txt -e '.[web]'")
    _check_port(knobs)
    if knobs.share:
        console.print(SHARE_WARNING, style="yellow")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    asyncio.run(_main(knobs))


async def _main(knobs: Web) -> None:
    facts = known(knobs)
    with console.status("loading the persona …"):
        talker = await open_talker(engine_for(knobs))
    page = build(talker, knobs, facts)
    try:
        page.launch(
            server_name=knobs.server_name,
            server_port=knobs.server_port or None,
            share=knobs.share,
            quiet=True,
            prevent_thread_lock=True,
            footer_links=[],
        )
        console.print(f"open {page.local_url}  (Ctrl-C ends it)")
        if page.share_url:
            console.print(f"public link: {page.share_url}")
        await asyncio.Event().wait()
    finally:
        await asyncio.to_thread(page.close)
        await talker.close()


def build(talker: Talker, knobs: Web, facts: Facts) -> Any:
    """The page: a chat, a field, two buttons. Each browser tab is a conversation of its own."""
    import gradio as gr

    me = talker.persona.prompt.me
    engine_loop = asyncio.get_running_loop()

    async def answer(
        text: str, shown: list[dict[str, str]], talk: Conversation | None
    ) -> AsyncIterator[tuple[Any, ...]]:
        talk = talk or Conversation(talker, knobs, facts)
        if not text.strip():
            yield "", shown, talk
            return
        shown = [*shown, _shown("user", text)]
        yield "", shown, talk
        bubbles = talk.say(text)
        silent = True
        while True:
            # The engine's connection belongs to the loop it was opened on; Gradio runs its own.
            step = asyncio.run_coroutine_threadsafe(_next(bubbles), engine_loop)
            bubble = await asyncio.wrap_future(step)
            if bubble is None:
                break
            silent = False
            shown = [*shown, _shown("assistant", bubble)]
            yield "", shown, talk
        if silent:
            yield "", [*shown, _shown("assistant", words.SAID_NOTHING.both(me=me))], talk

    with gr.Blocks(title=f"{me} · mybot", analytics_enabled=False) as page:
        gr.Markdown(f"### {me}\n{words.YOU_TALK_TO.both(me=me)}")
        # No share button: it posts the conversation to a hub. The page has its own button to clear.
        # What is said is shown as it stands: stars and brackets are no markup, and bubbles stay apart.
        chat = gr.Chatbot(label=me, height=480, buttons=[], render_markdown=False, group_consecutive_messages=False)
        talk = gr.State(None)
        with gr.Row():
            field = gr.Textbox(
                placeholder=f"{knobs.name}: {words.SAY_SOMETHING.both()} …", show_label=False, scale=8, autofocus=True
            )
            send = gr.Button(words.SEND.both(), variant="primary", scale=1, min_width=130)
            clear = gr.Button(words.CLEAR.both(), scale=1, min_width=130)
        for trigger in (field.submit, send.click):
            trigger(answer, [field, chat, talk], [field, chat, talk])
        clear.click(lambda: ([], None), None, [chat, talk])
        # The chat has a bin of its own, which would leave the persona all that it heard.
        chat.clear(lambda: None, None, talk)
    return page


def _shown(role: str, text: str) -> dict[str, str]:
    """A bubble of the page, which takes for HTML what looks like it: nothing that anybody says may be a picture from elsewhere."""
    return {"role": role, "content": escape(text, quote=False)}


async def _next(bubbles: AsyncIterator[str]) -> str | None:
    try:
        return await anext(bubbles)
    except StopAsyncIteration:
        return None
    except EngineError as error:
        return f"({told('zh', error)} {error})"


def _check_port(knobs: Web) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((knobs.server_name, knobs.server_port))
        except OSError as error:
            raise EngineError(
                f"can't listen on {knobs.server_name}:{knobs.server_port}: {error.strerror}",
                hint="choose another with --server-port, or 0 for a free one",
            ) from None
