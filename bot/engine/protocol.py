"""The OpenAI chat-completions protocol as data: what a request may hold, what goes back.

What isn't supported is refused by name, never ignored. Knows no HTTP library and no model.
"""

import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from bot.engine.wire import Finish, Sampling
from bot.persona.manifest import Generation
from config.errors import EngineError

STATUS: dict[Finish, int] = {"busy": 429, "timeout": 504, "cancelled": 499, "error": 500}
"""HTTP status of a request that ended without a reply."""


class Refused(EngineError):
    """A request that isn't carried out; `status` and `code` go over the wire."""

    def __init__(self, message: str, *, status: int = 400, code: str = "invalid_request", param: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param


_OFF: dict[str, list[Any]] = {
    "n": [1],
    "logprobs": [False],
    "top_logprobs": [0],
    "tools": [[]],
    "tool_choice": ["none", "auto"],
    "parallel_tool_calls": [True, False],
    "functions": [[]],
    "function_call": ["none", "auto"],
    "response_format": [{"type": "text"}],
    "logit_bias": [{}],
    "store": [False],
    "modalities": [["text"]],
    "service_tier": ["auto", "default"],
}
"""What isn't supported, and the values that ask for nothing of it: many clients send them always."""
_LABELS = ("user", "safety_identifier", "prompt_cache_key", "metadata")
"""For the caller's own books; they change nothing."""
_CALLERS = ("invalid_request", "unsupported_parameter", "invalid_api_key", "model_not_found", "context_length_exceeded")
"""Codes of what the caller did wrong."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Text(_Part):
    type: Literal["text"]
    text: str


class ChatMessage(_Part):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Text]

    @model_validator(mode="before")
    @classmethod
    def _without_nothing(cls, given: Any) -> Any:
        """A reply comes back with all its fields, also those that hold nothing."""
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if name == "content" or value not in (None, [])}

    def to_wire(self) -> dict[str, str]:
        said = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": said}


class StreamOptions(_Part):
    include_usage: bool = False


class ChatRequest(_Part):
    """What is honoured."""

    messages: list[ChatMessage] = Field(min_length=1)
    model: str = ""
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(default=None, ge=0, le=10)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0, le=10)
    presence_penalty: float = Field(default=0.0, ge=-2, le=2)
    frequency_penalty: float = Field(default=0.0, ge=-2, le=2)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: str | list[str] = []
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)

    def to_messages(self) -> list[dict[str, str]]:
        return [message.to_wire() for message in self.messages]

    def sampling(self, generation: Generation, limit: int) -> Sampling:
        """How to draw; what the request leaves open is the persona's own."""
        asked = self.max_completion_tokens or self.max_tokens
        if asked is not None and asked > limit:
            name = "max_completion_tokens" if self.max_completion_tokens else "max_tokens"
            raise Refused(f"{name} is at most {limit} here", param=name)
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        if not all(stop) or len(stop) > 16:
            raise Refused("stop holds at most 16 strings, none of them empty", param="stop")
        own = Sampling.of(generation, temperature=self.temperature)
        return Sampling(
            temperature=own.temperature,
            top_p=own.top_p if self.top_p is None else self.top_p,
            top_k=own.top_k if self.top_k is None else max(0, self.top_k),
            min_p=own.min_p if self.min_p is None else self.min_p,
            repetition_penalty=own.repetition_penalty if self.repetition_penalty is None else self.repetition_penalty,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            max_tokens=asked or min(own.max_tokens, limit),
            seed=self.seed,
            stop=stop,
        )


def read_request(body: bytes) -> ChatRequest:
    """The request of a body; Refused names what is wrong or not supported."""
    try:
        # Stricter than json.loads: half a surrogate pair is no text, NaN no number.
        values = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise Refused("the body is not JSON") from None
    if not isinstance(values, dict):
        raise Refused("the body is not a JSON object")
    given = {name: value for name, value in values.items() if value is not None and not _asks_nothing(name, value)}
    unknown = sorted(set(given) - set(ChatRequest.model_fields))
    if unknown:
        raise Refused(f"not supported: {', '.join(unknown)}", code="unsupported_parameter", param=unknown[0])
    try:
        asked = ChatRequest.model_validate(given)
    except ValidationError as error:
        raise _named(error) from None
    if asked.stream_options and not asked.stream:
        raise Refused("stream_options go with stream", param="stream_options")
    return asked


def _asks_nothing(name: str, value: Any) -> bool:
    return name in _LABELS or value in _OFF.get(name, ())


def _named(error: ValidationError) -> Refused:
    """What is wrong first, and where."""
    errors = error.errors(include_url=False, include_input=False)
    first = errors[0]["loc"][:3]
    # Of the ways to write a content, that which was meant is the one that was followed furthest.
    worst = max((one for one in errors if one["loc"][:3] == first), key=lambda one: len(one["loc"]))
    where = ".".join(str(part) for part in worst["loc"] if part not in ("str", "list[Text]"))
    return Refused(f"{where}: {worst['msg'].lower()}", param=str(first[0]))


def error_body(message: str, code: str, param: str = "") -> dict[str, Any]:
    kind = "invalid_request_error" if code in _CALLERS else code
    return {"error": {"message": message, "type": kind, "code": code, "param": param or None}}


class Reply:
    """The bodies of one reply, streamed or whole."""

    def __init__(self, number: str, model: str, persona: str, prompt_tokens: int) -> None:
        self._head = {"id": f"chatcmpl-{number}", "created": int(time.time()), "model": model, "persona": persona}
        self._prompt_tokens = prompt_tokens

    def whole(self, text: str, finish: Finish, produced: int) -> dict[str, Any]:
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": self._usage(produced)}

    def piece(self, text: str, *, first: bool) -> dict[str, Any]:
        delta = {"role": "assistant", "content": text} if first else {"content": text}
        return self._chunk([{"index": 0, "delta": delta, "finish_reason": None}])

    def last(self, finish: Finish, *, first: bool) -> dict[str, Any]:
        delta = {"role": "assistant", "content": ""} if first else {}
        return self._chunk([{"index": 0, "delta": delta, "finish_reason": finish}])

    def usage(self, produced: int) -> dict[str, Any]:
        """The chunk without choices that `stream_options.include_usage` asks for."""
        return {**self._chunk([]), "usage": self._usage(produced)}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {**self._head, "object": "chat.completion.chunk", "choices": choices}

    def _usage(self, produced: int) -> dict[str, int]:
        total = self._prompt_tokens + produced
        return {"prompt_tokens": self._prompt_tokens, "completion_tokens": produced, "total_tokens": total}
