"""Text as it may be sent: never taken back, never half a character, never past a stop string."""

from hypothesis import given, settings, strategies as st

from bot.engine.text import TextStream


def decode(ids: list[int]) -> str:
    return bytes(ids).decode("utf-8", "replace")


def feed(data: bytes, stop: tuple[str, ...] = ()) -> tuple[list[str], bool]:
    stream = TextStream(decode, stop)
    pieces: list[str] = []
    for byte in data:
        pieces.append(stream.push(byte))
        if stream.stopped:
            return pieces, True
    pieces.append(stream.finish())
    return pieces, stream.stopped


@given(st.text())
def test_the_pieces_are_the_text(text: str) -> None:
    pieces, _ = feed(text.encode())
    assert "".join(pieces) == text.rstrip("\ufffd")
    assert all("\ufffd" in text or "\ufffd" not in piece for piece in pieces)


@given(st.binary())
def test_any_bytes_read_as_the_decoder_reads_them(data: bytes) -> None:
    assert "".join(feed(data)[0]) == decode(list(data)).rstrip("\ufffd")


@settings(max_examples=300)
@given(st.text("ab好", max_size=30), st.lists(st.text("ab好", min_size=1, max_size=4), min_size=1, max_size=3))
def test_the_text_ends_before_the_first_stop_string(text: str, stop: list[str]) -> None:
    pieces, stopped = feed(text.encode(), tuple(stop))
    # Which stop string is complete first decides; of those complete at once, the earliest begin.
    done = [n for n in range(len(text) + 1) if any(s in text[:n] for s in stop)]
    assert stopped == bool(done)
    end = min(text[: done[0]].index(s) for s in stop if s in text[: done[0]]) if done else len(text)
    assert "".join(pieces) == text[:end]


def test_a_tail_that_could_begin_a_stop_string_waits() -> None:
    stream = TextStream(decode, ("###",))
    assert [stream.push(byte) for byte in b"a##b#"] == ["a", "", "", "##b", ""]
    assert stream.finish() == "#"


def test_a_character_waits_for_its_last_byte() -> None:
    stream = TextStream(decode)
    assert [stream.push(byte) for byte in "好".encode()] == ["", "", "好"]
    assert stream.push(0xE5) == ""
    assert stream.finish() == ""
