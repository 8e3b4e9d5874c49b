"""How many tokens a text has for a persona, without torch: its own tokenizer.json."""

from collections.abc import Callable
from pathlib import Path

TOKENIZER = "tokenizer.json"


def token_counter(folder: Path) -> Callable[[str], int] | None:
    """Counts the tokens of a text as this persona reads it; None where it brings no tokenizer.json."""
    # tokenizers takes a moment to load: only whoever counts waits for it.
    from tokenizers import Tokenizer

    path = folder / TOKENIZER
    if not path.is_file():
        return None
    tokenizer = Tokenizer.from_file(str(path))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
