r"""The plain chat templates that are saved with a persona, one per kind of tokenizer.

A base model's own template may add thinking blocks, tools or default system texts; these add
nothing. Both have the prefix property training relies on: the prompt of a reply is an exact
prefix of the whole. Role headers can't be forged: ChatML's are control tokens, which are taken out
of contents; the plain ones begin with a `\#`, which no line of a content does (`bot.persona.prompt`).
"""

from typing import Any

from config.errors import TrainingError

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

PLAIN = (
    "{{ bos_token or '' }}{% for m in messages %}\\# {{ m['role'] }}\n{{ m['content'] }}"
    "{{ eos_token if m['role'] == 'assistant' else '' }}\n{% endfor %}"
    "{% if add_generation_prompt %}\\# assistant\n{% endif %}"
)


def dress(tokenizer: Any) -> None:
    """Give a base model's tokenizer a plain template, an end-of-turn token and a padding token.

    Raises TrainingError for a tokenizer that has no end token at all.
    """
    if {"<|im_start|>", "<|im_end|>"} <= set(tokenizer.get_added_vocab()):
        tokenizer.chat_template = CHATML
        tokenizer.eos_token = "<|im_end|>"
    elif tokenizer.eos_token:
        tokenizer.chat_template = PLAIN
    else:
        raise TrainingError("the base model's tokenizer has no end token", hint="choose another base model")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
