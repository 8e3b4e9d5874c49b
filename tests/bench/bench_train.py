"""The document's recipe and ours side by side on a toy: speed, tokens a reply, held-out loss.

    python tests/bench/bench_train.py [--seeds 1 2 3] [--rates 2e-4 2e-3 1e-2] [--steps 40]

The bundled sample's records, a toy base model that has read a third of them eight times, everything through the real
Trainer, in 32 bit on two threads. Compute is counted in tokens that pass through the model, padding
included; useful tokens are those without it. Held-out loss is that of my replies in dev rows.
"""

import argparse
import contextlib
import io
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# As in mybot.py, before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from bot.persona.prompt import Bubble, PromptSpec, Turn
from config.settings import Dataset, Import, Train, load
from training import base, dataset, demo, importing, running, tiny
from training.batching import Updates, cost, tokens_an_update
from training.dataset import read_rows, turns_of
from training.recipe import resolve
from training.sft import cut_rows
from training.windows import Cutter, Window, ended

LONGEST = 512
TOY = {"hidden_size": 64, "intermediate_size": 192, "num_hidden_layers": 2, "num_attention_heads": 2}


@dataclass(slots=True)
class Made:
    """What all measurements share."""

    base: Path
    tokenizer: Any
    spec: PromptSpec
    train: list[Window]
    every: list[Window]
    """The training windows with loss on every token, as the document has it."""
    dev: list[Window]
    pairs: list[tuple[Turn, Turn]]
    """What somebody said, and what I answered."""


def make(folder: Path) -> Made:
    data, toy = folder / "data", folder / "base"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        importing.main(load(Import, exports=demo.sample_files(), me=list(demo.ME), data=data, as_json=True))
        dataset.main(
            load(
                Dataset,
                data=data,
                history_private=demo.HISTORY,
                history_group=demo.HISTORY,
                state_weight=1.0,
                as_json=True,
            )
        )
    rows = list(read_rows(data / "train.jsonl"))
    texts = [bubble.text for row in rows for turn in turns_of(row) for bubble in turn.bubbles]
    tokenizer = tiny.make_tokenizer(texts)
    spec = PromptSpec.model_validate_json((data / "prompt.json").read_bytes())
    # The base reads every third row, the fine-tuning the others: else there is nothing left to learn.
    read, rows = rows[::3], [row for place, row in enumerate(rows) if place % 3]
    known = list(cut_rows(Cutter(tokenizer, spec, LONGEST), read))
    model = tiny.make_model(tokenizer, num_key_value_heads=2, **TOY)
    tiny.embed_by_company(model, known)
    tiny.pretrain(model, tokenizer, known, epochs=8)
    tiny.save(toy, tokenizer, model)
    train = [ended(window) for window in cut_rows(Cutter(tokenizer, spec, LONGEST), rows)]
    held = [row for row in read_rows(data / "heldout.jsonl") if row["split"] == "dev"]
    return Made(
        toy, base.load_tokenizer(str(toy)), spec, train,
        list(cut_rows(Cutter(tokenizer, spec, LONGEST, loss_on="all"), rows)),
        [ended(window) for window in cut_rows(Cutter(tokenizer, spec, LONGEST), held)], list(pairs(rows)),
    )  # fmt: skip


def pairs(rows: list[dict[str, Any]]) -> Iterator[tuple[Turn, Turn]]:
    for row in rows:
        turns = turns_of(row)
        for asked, answered in pairwise(turns):
            if (asked.role, answered.role) == ("user", "assistant") and any(b.target for b in answered.bubbles):
                theirs = [Bubble(b.text, label=b.label) for b in asked.bubbles if not b.mark][:2]
                mine = [Bubble(b.text, target=True) for b in answered.bubbles]
                if theirs:
                    yield Turn("user", theirs), Turn("assistant", mine)


def recipe(made: Made, which: str, **more: Any) -> Train:
    common = {"base_model": str(made.base), "report_to": "none", "save_steps": 0, "eval_strategy": "no"}
    common |= {"dtype": "float32", "load_in_4bit": False, "max_length": LONGEST, "optim": "adamw_torch", **more}
    return resolve(Train(preset="original-13b-v100", **common)) if which == "document" else Train(**common)


class Everywhere:
    """Logits of every token, padding too, as TRL computes them on a CPU and the document's notebook did."""

    @contextlib.contextmanager
    def only(self, inputs: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield inputs


def trained(made: Made, knobs: Train, scratch: Path, *, everywhere: bool = False) -> tuple[Any, float]:
    """The trainer after its run, and the CPU-seconds of the steps."""
    windows = made.every if knobs.loss_on == "all" else made.train
    with contextlib.redirect_stderr(io.StringIO()):
        trainer = running._trainer(knobs, made.tokenizer, windows, made.dev, scratch, [])
        if everywhere:
            trainer._labelled = Everywhere()
        begun = time.process_time()
        trainer.train()
    return trainer, time.process_time() - begun


def sessions(made: Made, mean: float, spread: bool) -> list[Window]:
    """The sample's exchanges cut anew into sessions of so many replies: all alike, or geometrically spread."""
    draw, windows, place, owed = random.Random(3), [], 0, 0.0
    while place < len(made.pairs):
        owed += draw.expovariate(1 / mean) if spread else mean
        size = max(1, round(owed))
        owed -= size
        session = [turn for pair in made.pairs[place : place + size] for turn in pair]
        cut = Cutter(made.tokenizer, made.spec, 4096).cut(session, kind="private", name=demo.PARTNER)
        windows += [ended(window) for window in cut]
        place += size
    return windows


def speed(made: Made, scratch: Path, steps: int, rounds: int = 3) -> None:
    """Useful tokens a CPU-second with the same adapter, windows and labels: the document's batches with logits of all
    tokens, and with each of the two changed.
    """
    made = replace(made, train=[w for w in sessions(made, 4.7, spread=True) if len(w.input_ids) <= LONGEST])
    labels = sum(window.trained for window in made.train) / sum(len(window.input_ids) for window in made.train)
    print(f"\nlabels stand on {labels:.0%} of the tokens; median of {rounds}")
    print(f"{'batches, logits':28}{'useful tokens/CPU-s':>20}{'padding':>10}{'ratio':>8}{'loss':>12}")
    for bits in ("fp32", "nf4"):
        found: dict[str, list[float]] = {}
        last: dict[str, Any] = {}
        for _ in range(rounds):
            ways = ["padded, all", "padded, labels", "grouped, all", "grouped, labels"]
            for way in [*ways, "packed, labels"] if bits == "fp32" else ways:
                kind, logits = way.split(", ")
                knobs = recipe(made, "ours", batching=kind, max_steps=steps, load_in_4bit=bits == "nf4")
                last[way], seconds = trained(made, knobs, scratch, everywhere=logits == "all")
                found.setdefault(way, []).append(last[way].useful / seconds)
        first = statistics.median(found["padded, all"])
        for way, rates in found.items():
            rate, loss = statistics.median(rates), last[way].state.log_history[-1]["train_loss"]
            padding = 1 - last[way].useful / last[way].computed
            print(f"{bits + ' ' + way:28}{rate:20,.0f}{padding:10.1%}{rate / first:8.2f}{loss:12.6f}", flush=True)


def tokens_a_reply(made: Made) -> None:
    """One window a session, against one sample a reply with all that came before it in the session.

    Bare tokens, and computed ones: the windows in our batches, the samples four by four in random order.
    """
    print("\ntokens a trained reply     a window   a sample each   ratio      computed   computed   ratio")
    for mean, spread in ((4.7, False), (4.7, True), (20, False)):
        windows = sessions(made, mean, spread)
        end = made.tokenizer.eos_token_id
        samples = [n + 1 for window in windows for n, label in enumerate(window.labels) if label == end]
        whole = [len(window.input_ids) for window in windows]
        ours = sum(cost([whole[i] for i in update], packed=False) for update in Updates(whole, 8192, 1))
        random.Random(1).shuffle(samples)
        theirs = sum(cost(samples[n : n + 4], packed=False) for n in range(0, len(samples), 4))
        bare, replies = (sum(whole), sum(samples)), len(samples)
        numbers = f"{bare[0] / replies:12.1f}{bare[1] / replies:16.1f}{bare[1] / bare[0]:8.2f}"
        numbers += f"{ours / replies:14.1f}{theirs / replies:11.1f}{theirs / ours:8.2f}"
        print(f"{mean:4} replies, {'spread' if spread else 'alike ':12}{numbers}", flush=True)


def losses(made: Made, scratch: Path, seeds: list[int], rates: list[float], steps: int) -> None:
    """Held-out loss after as many computed tokens as the document's steps take."""
    before, _ = trained(made, recipe(made, "ours", max_steps=1, learning_rate=1e-9), scratch)
    print(f"\nheld-out loss of my replies; the base model alone {before.evaluate()['eval_loss']:.3f}")
    print(f"{'recipe':12}{'rate':>9}{'computed':>11}{'CPU-s':>8}   each seed")
    best: dict[str, tuple[float, float]] = {}
    computed = 0
    for which in ("document", "ours"):
        for rate in rates:
            found, seconds = [], 0.0
            for seed in seeds:
                knobs = recipe(made, which, learning_rate=rate, seed=seed, max_steps=steps)
                if which == "ours":
                    lengths = [len(window.input_ids) for window in made.train]
                    rows = knobs.per_device_train_batch_size * knobs.gradient_accumulation_steps
                    update = tokens_an_update(lengths, rows, LONGEST)
                    knobs = knobs.model_copy(update={"max_steps": max(1, computed // update)})
                trainer, spent = trained(made, knobs, scratch)
                found.append(trainer.evaluate()["eval_loss"])
                seconds += spent
                if which == "document":
                    computed = trainer.computed
            mean = statistics.fmean(found)
            best[which] = min(best.get(which, (9e9, 0.0)), (mean, rate))
            told = "  ".join(f"{loss:.3f}" for loss in found)
            print(
                f"{which:12}{rate:9.0e}{trainer.computed:11,}{seconds / len(seeds):8.1f}   {told}   mean {mean:.3f}",
                flush=True,
            )
    for which, (loss, rate) in best.items():
        print(f"best of {which}: {loss:.3f} at {rate:.0e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rates", type=float, nargs="+", default=[2e-4, 2e-3, 1e-2])
    parser.add_argument("--steps", type=int, default=40, help="optimiser steps of the document's recipe")
    parser.add_argument("--timed", type=int, default=12, help="optimiser steps that speed is measured on")
    parser.add_argument("--parts", nargs="+", default=["tokens", "speed", "losses"])
    asked = parser.parse_args()
    base.quiet()
    import torch

    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        made = make(Path(folder))
        lengths = [len(window.input_ids) for window in made.train]
        print(
            f"{len(lengths):,} windows of {statistics.fmean(lengths):.0f} tokens (longest {max(lengths)}), "
            f"{sum(lengths):,} in all; made in {time.monotonic() - begun:.0f} s",
            flush=True,
        )
        if "tokens" in asked.parts:
            tokens_a_reply(made)
        if "speed" in asked.parts:
            speed(made, Path(folder) / "run", asked.timed)
        if "losses" in asked.parts:
            losses(made, Path(folder) / "run", asked.seeds, asked.rates, asked.steps)
        print(f"\n{time.monotonic() - begun:.0f} s in all")


if __name__ == "__main__":
    main()
