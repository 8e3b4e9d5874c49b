"""Which lines were said in which chat of the records, as keyed hashes beside the persona: copies.bin.

Knows messages.jsonl and the joined contacts; how a bubble is looked up is bot/persona/copies.py, for both
halves. Held-out lines are in it too: they are just as private.
"""

import hashlib
import json
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from bot.persona.copies import FILE, KEY, pack
from bot.persona.prompt import readable
from training.contacts import Contacts


def write(folder: Path, data: Path, origin: Mapping[str, str]) -> bool:
    """Write copies.bin into a version folder; False where the records aren't there.

    `origin` are the hashes of what the persona was trained on: from them comes the key, so that the same
    records give the same file.
    """
    records = data / "messages.jsonl"
    if not records.is_file():
        return False
    key = hashlib.blake2b(json.dumps(origin, sort_keys=True).encode(), digest_size=KEY, person=b"copies").digest()
    said = Contacts.load(data).messages(records)
    chats = ((chat, (m.text for m in of_chat if readable(m))) for chat, of_chat in groupby(said, lambda m: m.chat))
    (folder / FILE).write_bytes(pack(key, chats))
    return True
