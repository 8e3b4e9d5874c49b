"""How many tokens a prompt has for a persona, without torch: its own tokenizer.json and chat template.

Counts what `bot.engine.prompt_ids` gives the model, letter by letter, so that what fits here fits
at the server. Importing transformers for it would load torch; so its few rules for templates
stand here again, and a test compares both.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.engine.prompt_ids import prompt_ids

TOKENIZER, CONFIG, TEMPLATE = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"
Messages = Sequence[Mapping[str, str]]
Count = Callable[[Messages], int]
"""Tokens of a prompt, the beginning of the reply included."""


def token_counter(folder: Path) -> Count | None:
    """Counts prompts as this persona reads them; None where it brings no tokenizer.json or no chat template."""
    # tokenizers takes a moment to load: only whoever counts waits for it.
    from tokenizers import Tokenizer

    path = folder / TOKENIZER
    config = _read(folder / CONFIG)
    template = _template(folder, config)
    if not path.is_file() or template is None:
        return None
    backend = Tokenizer.from_file(str(path))
    backend.no_truncation()
    backend.no_padding()
    tokenizer = _Tokenizer(backend, template, config)
    return lambda messages: len(prompt_ids(tokenizer, messages, True))


class _Tokenizer:
    """As much of a transformers tokenizer as a prompt needs."""

    def __init__(self, backend: Any, template: str, config: Mapping[str, Any]) -> None:
        self._backend = backend
        self._render = _compile(template).render
        tokens = {name: value for name, value in config.items() if name.endswith("_token") and value}
        self._tokens = {name: _content(value) for name, value in tokens.items()}
        self.added_tokens_decoder = backend.get_added_tokens_decoder()

    def apply_chat_template(
        self, messages: Sequence[Mapping[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        return self._render(messages=messages, add_generation_prompt=add_generation_prompt, **self._tokens)

    def __call__(self, text: str, *, add_special_tokens: bool, verbose: bool) -> dict[str, list[int]]:
        return {"input_ids": self._backend.encode(text, add_special_tokens=add_special_tokens).ids}


def _compile(template: str) -> Any:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value, **how: json.dumps(value, **{"ensure_ascii": False, **how})
    environment.globals["raise_exception"] = raise_exception
    return environment.from_string(template)


def _template(folder: Path, config: Mapping[str, Any]) -> str | None:
    try:
        return (folder / TEMPLATE).read_text(encoding="utf-8")
    except FileNotFoundError:
        template = config.get("chat_template")
        return template if isinstance(template, str) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def _content(token: Any) -> str:
    return str(token["content"]) if isinstance(token, dict) else str(token)
