"""Every knob of mybot: one class per table of `config/mybot.toml`, one table per command.

First found wins: a command-line flag, a `MYBOT_<TABLE>_<KNOB>` variable (`.env` counts as
variables; secrets live there and nowhere else), `config/mybot.toml`, the preset (training only),
the default written here. Nothing is read before a table is built.

Paths: on the command line and in variables they are relative to where the command was started,
in the TOML file and in the defaults to the checkout.
"""

import datetime as dt
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import CliPositionalArg

from config.table import ROOT, Table, knobs, load, parse

__all__ = ["ROOT", "TABLES", "Table", "knobs", "load", "parse"]

List = Annotated[bool, Field(validation_alias=AliasChoices("list"))]
Json = Annotated[bool, Field(validation_alias=AliasChoices("json"))]
From = Annotated[Path | None, Field(validation_alias=AliasChoices("from"))]


class Import(Table, env_prefix="MYBOT_IMPORT_"):
    """Read chat exports into data/messages.jsonl, adding to what is there."""

    table: ClassVar[str] = "import"

    exports: CliPositionalArg[list[Path]] = []
    """Files, folders and zips to read; the format of each file is found out by itself."""
    me: list[str] = []
    """Who you are: QQ numbers and names, several allowed. Left out, mybot suggests and asks."""
    data: Path = Path("data")
    """The folder that holds messages.jsonl."""
    as_list: List = False
    """Show the chats, people and time spans of the exports, and import nothing."""
    contacts: bool = False
    """Show who is who in what was imported: accounts, names, and friends that may be the same."""
    join: list[str] = []
    """NAME=NUMBER: the friend without a number called so is that account, such as 小鹿=20002."""
    part: list[str] = []
    """NAME: take that back, and don't suggest it again."""
    format: str = ""
    """Read every file as this format instead of looking at it first."""
    tz: str = "+08:00"
    """The zone of exports that have wall-clock time only."""
    date: dt.date | None = None
    """The day of pasted text whose lines have none, such as 2022-01-01. Left out, the day its file was saved."""
    history: str = ""
    """The bot's own history on a server, by URL as [bot] database; a SQLite file is named like an export."""
    consent: list[str] = []
    """Chats of the bot's history whose people agreed to be learned from: group:123456 or private:10001."""
    yes: bool = False
    """Take the suggested 'me' without asking."""
    as_json: Json = False
    """Print the report as one JSON object."""


class Dataset(Table, env_prefix="MYBOT_DATASET_"):
    """Turn messages into training and held-out turns."""

    table: ClassVar[str] = "dataset"

    data: Path = Path("data")
    """The folder with messages.jsonl; train.jsonl and heldout.jsonl are written beside it."""
    name: str = ""
    """What the persona is called; left out, the name you use most."""
    include: list[str] = []
    """Only these chats: numbers or names; several allowed. Left out, all."""
    exclude: list[str] = []
    """Not these chats: numbers or names."""
    since: dt.date | None = None
    """Only messages from this day on, such as 2022-01-01."""
    until: dt.date | None = None
    """Only messages up to this day, itself included."""
    tz: str = "+08:00"
    """The zone whose days those are."""
    bots: list[str] = []
    """Who is a bot: numbers or names. QQ's own bots are known."""
    commands: str = r"[/.!！。#][A-Za-z]"
    """A message that begins like this (a regular expression) is a command to a bot, and not learned."""
    history: str = ""
    """The bot's database, whose lines are never taken as yours. Left out, history.db beside the messages."""
    gap: float | None = Field(default=None, gt=0)
    """Minutes of silence that end a session. Left out, learned for each chat from its own pauses."""
    history_private: int = Field(default=60, ge=1)
    """Messages of a private chat that a prompt reaches back over."""
    history_group: int = Field(default=40, ge=1)
    """Messages of a group that a prompt reaches back over."""
    short_contexts: float = Field(default=0.2, ge=0, le=1)
    """Share of the sessions that are learned with less before them, as when the bot is new to a chat."""
    memory: int = Field(default=240, ge=0)
    """Characters of a prompt for what is remembered: facts of me.toml, older lines of the chat. 0: never any."""
    memory_recalled: float = Field(default=0.4, ge=0, le=1)
    """Share of the sessions that are learned with what they remind of."""
    memory_irrelevant: float = Field(default=0.15, ge=0, le=1)
    """Share of the sessions that are learned with memories that have nothing to do with them; the rest has none."""
    privacy: bool = True
    """Replace personal data by typed placeholders such as [电话]."""
    pseudonyms: bool = False
    """Give other people made-up names, the same ones in all chats and in the bot; their real names stay in data."""
    repeat_share: float = Field(default=0.05, gt=0, le=1)
    """At most this share of your replies may be one and the same short one (嗯, 哈哈)."""
    state_weight: float = Field(default=0.3, ge=0, le=1)
    """Share that is learned of replies bound to a moment or to a picture nobody can see; 1: all."""
    balance: float = Field(default=0.0, ge=0, le=1)
    """How far large chats are thinned out towards the median one. 0: as recorded, 1: all alike."""
    half_life_days: float = Field(default=0.0, ge=0)
    """Days after which half as many of your replies are learned. 0: old ones count as new ones."""
    general: Path | None = None
    """A JSONL file of general dialogue ({"messages": […]} or {"conversations": […]}), mixed in against forgetting."""
    general_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of the training rows that come from that file."""
    report: bool = False
    """Write data/dataset.html: what was learned from whom and when, what was left out, and examples."""
    embargo_days: float = Field(default=1.0, ge=0)
    """Days left out after each border between train, dev and test."""
    refit: bool = False
    """Hold nothing out: for a last run on everything, after the gate has passed. Only newer records can test that persona."""
    train_json: Path | None = None
    """Also write the rows of the 2023 notebook (### Human: … ### Assistant: …) to this file."""
    seed: int = 7
    """Draws which training contexts are short and how far those reach back, and which have memories."""
    as_json: Json = False
    """Print the report as one JSON object."""


class Remember(Table, env_prefix="MYBOT_REMEMBER_"):
    """Let the bot remember the records: data/messages.jsonl → data/memory.db. Again after each import."""

    table: ClassVar[str] = "remember"

    data: Path = Path("data")
    """The folder with messages.jsonl. Of which chats and days: as [dataset] says."""
    memory: Path = Path("data/memory.db")
    """The file that is written; what [bot] memory names."""
    as_json: Json = False
    """Print the report as one JSON object."""


class Facts(Table, env_prefix="MYBOT_FACTS_"):
    """Facts about you that your records seem to tell: confirm them one by one, into data/me.toml."""

    table: ClassVar[str] = "facts"

    data: Path = Path("data")
    """The folder with messages.jsonl; me.toml is written beside it. Of which chats and days: as [dataset] says."""
    as_list: List = False
    """Show them with their sources, and ask nothing."""
    least: int = Field(default=2, ge=1)
    """Days on which you must have said what may have been meant for its day; 我对花生过敏 is enough once."""
    engine: bool = False
    """Let an engine propose as well: the server of [engine] url, or a worker with the persona."""
    url: str = ""
    """An OpenAI-compatible server that proposes as well; --engine isn't needed then."""
    persona: Path | None = None
    """The persona of such a worker. Left out, [engine] persona."""
    stretches: int = Field(default=200, ge=1)
    """Stretches of 60 lines that an engine reads at most, the newest."""
    as_json: Json = False
    """Print the report as one JSON object."""


class Summaries(Table, env_prefix="MYBOT_SUMMARIES_"):
    """Let an engine write a short summary of each chat, for the bot to be reminded of. At night, from cron."""

    table: ClassVar[str] = "summaries"

    memory: Path = Path("data/memory.db")
    """What is summed up: made by `mybot remember`, and what the bot has lived through since."""
    summaries: Path = Path("data/summaries")
    """One text file a chat, to be edited; an emptied one stays empty. What [bot] summaries names."""
    url: str = ""
    """An OpenAI-compatible server that writes them. Left out, [engine] url, or a worker with the persona."""
    persona: Path | None = None
    """The persona whose chats these are. Left out, [engine] persona."""
    least: int = Field(default=30, ge=1)
    """New lines of a chat, below which its summary stays as it is; lines of a stretch of the past, likewise."""
    past: int = Field(default=0, ge=0)
    """Also one for each stretch of so many days of the past, for `mybot dataset` to learn with; 0: none."""


class Train(Table, env_prefix="MYBOT_TRAIN_"):
    """Fine-tune an adapter on data/train.jsonl (LoRA, or QLoRA with --load-in-4bit)."""

    table: ClassVar[str] = "train"

    preset: str = ""
    """A recipe of config/presets, by name; the other knobs override it."""
    base_model: str = "Qwen/Qwen3-8B"
    """A local model folder, or a name on the Hugging Face hub."""
    revision: str = ""
    """The commit or branch of a hub model."""
    data: Path = Path("data")
    """The folder with train.jsonl and heldout.jsonl."""
    continue_from: Path | None = None
    """A run or a persona whose adapter is learned on with this data, instead of a new one."""
    name: str = "me"
    """The run is runs/<name>, the persona personas/<name>."""
    runs: Path = Path("runs")
    """Where runs are kept."""
    loss_on: Literal["mine", "all"] = "mine"
    """Tokens that get loss: my replies only, or every token of the window."""
    max_length: int = Field(default=2048, ge=16)
    """Tokens of one training window; older messages are left out until it fits."""
    load_in_4bit: bool = False
    """QLoRA: the base model in 4 bit."""
    load_in_8bit: bool = False
    """The base model in 8 bit."""
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = "nf4"
    """The 4-bit number format."""
    bnb_4bit_use_double_quant: bool = True
    """Quantise the quantisation constants too."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Compute dtype: auto is bfloat16 where the card has it, float16 on older cards, float32 on CPU."""
    attn_implementation: str = "auto"
    """Attention: eager, sdpa, flash_attention_2, …; auto is what transformers takes for this model."""
    r: int = Field(default=16, ge=1)
    """Rank of the adapter."""
    lora_alpha: int = 32
    """Scale of the adapter; the update is multiplied by lora_alpha / r."""
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout inside the adapter."""
    bias: Literal["none", "all", "lora_only"] = "none"
    """Which biases are trained."""
    target_modules: str = "all-linear"
    """Layers that get an adapter: all-linear, or names parted by commas."""
    modules_to_save: str = ""
    """Layers trained whole beside the adapter, parted by commas."""
    layers_to_transform: str = ""
    """Only these layers get an adapter: numbers from 0, parted by commas. Left out, all; needs target_modules by name."""
    use_dora: bool = False
    """DoRA: length and direction of the weights apart; slower."""
    use_rslora: bool = False
    """rsLoRA: scale by lora_alpha / √r, for large ranks."""
    init_lora_weights: Literal["true", "gaussian", "olora", "pissa", "pissa_niter_16"] = "true"
    """What the adapter begins with; olora and pissa need a base that is not quantised, and are saved as plain LoRA of rank 2r."""
    per_device_train_batch_size: int = Field(default=4, ge=1)
    """Full windows at once on one device: times max_length, the tokens that have to fit into its memory."""
    gradient_accumulation_steps: int = Field(default=4, ge=1)
    """How many times that makes an optimiser step; short windows share steps as long as an epoch keeps enough of them."""
    num_processes: int = Field(default=1, ge=1)
    """Cards to train on at once, one process each (torchrun, DDP): each holds the whole base model."""
    batching: Literal["auto", "packed", "grouped", "padded"] = "auto"
    """packed: windows end to end; grouped: as many of like length as fit; padded: a fixed number; auto: packed if clean."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """Peak learning rate."""
    lr_scheduler_type: str = "cosine"
    """Course of the learning rate."""
    warmup_steps: float = Field(default=0.03, ge=0)
    """Warm-up: steps, or a share of all steps when below 1."""
    num_train_epochs: float = Field(default=3.0, gt=0)
    """Passes over the training set."""
    max_steps: int = -1
    """Stop after this many optimiser steps; -1: after num_train_epochs."""
    max_minutes: float = Field(default=0.0, ge=0)
    """Minutes the training may take: after three warm steps it is planned to end with them. 0: as long as it takes."""
    optim: str = "auto"
    """Optimiser: auto is paged_adamw_8bit on CUDA and adamw_torch elsewhere."""
    max_grad_norm: float = 1.0
    """Gradient clipping."""
    weight_decay: float = 0.0
    """Weight decay."""
    neftune_noise_alpha: float = Field(default=0.0, ge=0)
    """NEFTune: noise on the embeddings while training, such as 5; 0: none."""
    gradient_checkpointing: Literal["auto", "on", "off"] = "auto"
    """Recompute activations to save memory: auto is on with CUDA."""
    max_memory: float = Field(default=0.0, ge=0)
    """GiB of the card that may be used; 0: all of it. `mybot plan` plans for it."""
    eval_strategy: Literal["no", "epoch"] = "epoch"
    """Measure the held-out loss after each epoch; at the end it is measured always."""
    eval_windows: int = Field(default=0, ge=0)
    """Held-out windows that are measured, a fair draw; 0: all."""
    early_stopping_patience: int = Field(default=1, ge=0)
    """Stop after so many measurements in a row in which the held-out loss did not fall; 0: never."""
    save_steps: float = Field(default=0.1, ge=0)
    """Optimiser steps between two checkpoints, or a share of all steps when below 1; 0: none."""
    fresh: bool = False
    """Throw away an unfinished run of this name and begin anew."""
    logging_steps: int = Field(default=10, ge=1)
    """Optimiser steps between two lines of the log."""
    report_to: Literal["none", "tensorboard", "wandb", "trackio"] = "none"
    """Send the numbers, never the text, to a tracker."""
    samples: bool = True
    """At each evaluation, let the persona answer five held-out questions, for runs/<name>/train.html."""
    sample_prompts: list[str] = []
    """Questions of your own instead of the held-out ones."""
    seed: int = 42
    """Seed of everything that is drawn."""
    as_json: Json = False
    """Print the report as one JSON object."""


class Pull(Table, env_prefix="MYBOT_PULL_"):
    """Fetch a base model, so that training needs no network."""

    table: ClassVar[str] = "pull"

    model: CliPositionalArg[str] = ""
    """Its name on the hub, such as Qwen/Qwen3-8B."""
    preset: str = ""
    """Fetch the base model of this preset."""
    source: Literal["hub", "modelscope"] = "hub"
    """The Hugging Face hub, or ModelScope."""
    revision: str = ""
    """A branch, tag or commit; left out, the main one."""
    endpoint: str = ""
    """Address of the hub or of a mirror; left out, HF_ENDPOINT or the hub's own."""
    token: SecretStr | None = None
    """Token for private and gated models; left out, HF_TOKEN. Belongs into .env."""
    at_once: int = Field(default=4, ge=1, le=32)
    """Files that are fetched at once."""
    as_json: Json = False
    """Print the report as one JSON object."""


class Merge(Table, env_prefix="MYBOT_MERGE_"):
    """Merge an adapter into its base model, or keep it beside it, and seal the persona."""

    table: ClassVar[str] = "merge"

    run: CliPositionalArg[Path] = Path("runs/me")
    """The run folder, with adapter/ in it."""
    personas: Path = Path("personas")
    """Where personas are kept; the version folder is personas/<name>/<version>."""
    name: str = ""
    """The persona's folder name; left out, the run's."""
    data: Path = Path("data")
    """The folder with heldout.jsonl, on which the forms of a persona are measured and sampling is fitted."""
    make_current: bool = True
    """Let the persona's `current` name the new version: what a reload takes."""
    weights: Literal["auto", "merged", "adapter"] = "auto"
    """Whole merged weights, or the adapter on its base as trained. auto: merged where 16 bit fits the card, else the better."""
    way: Literal["auto", "original", "dequant"] = "auto"
    """Merge into the base as fetched, or as rounded for QLoRA. auto: the lower held-out loss as it will be served."""
    card_memory: float = Field(default=0.0, ge=0)
    """GiB of the card that will serve the persona; 0: this machine's."""
    max_memory: float = Field(default=8.0, gt=0)
    """GiB of RAM that the merge may take; the weights are written in shards that fit."""
    rows: int = Field(default=100, ge=0)
    """Held-out windows on which forms are compared; 0: none is measured."""
    device: str = "auto"
    """Where forms are measured, as [engine] device."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Dtype of the merged weights: auto is the dtype of training."""
    fit: bool = True
    """Fit the sampling that is left out here on the held-out replies: so that it writes as long and as varied as you."""
    fit_seconds: float = Field(default=120.0, gt=0)
    """Time for that; what is not tried by then stays at its default."""
    temperature: float | None = Field(default=None, ge=0)
    """Sealed with the persona: 0 always takes the likeliest token. Left out, fitted, or else 0.8."""
    min_p: float | None = Field(default=None, ge=0, lt=1)
    """Sealed with the persona: no token less likely than this share of the likeliest. Left out, fitted, or else 0."""
    repetition_penalty: float | None = Field(default=None, gt=0)
    """Sealed with the persona: above 1 makes tokens that were there less likely. Left out, fitted, or else 1."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Sealed with the persona: share of the probability that is drawn from."""
    max_tokens: int = Field(default=128, ge=1)
    """Sealed with the persona: the longest reply."""
    as_json: Json = False
    """Print the report as one JSON object."""


class Export(Table, env_prefix="MYBOT_EXPORT_"):
    """Give the dataset or a persona to other tools."""

    table: ClassVar[str] = "export"

    what: CliPositionalArg[Literal["dataset", "gguf"]] = "dataset"
    """dataset: for LLaMA-Factory and Axolotl; gguf: a merged persona for llama.cpp."""
    data: Path = Path("data")
    """The folder with train.jsonl and heldout.jsonl."""
    persona: Path = Path("personas/me")
    """A persona, or one sealed version of it."""
    out: Path = Path("exports")
    """The folder that is written."""
    converter: Path | None = None
    """llama.cpp's folder, or its convert_hf_to_gguf.py; left out, looked for on the PATH."""
    outtype: Literal["auto", "f32", "f16", "bf16", "q8_0"] = "auto"
    """Number format of the GGUF file, as the converter names it."""
    as_json: Json = False
    """Print the report as one JSON object."""


class Score(Table, env_prefix="MYBOT_SCORE_"):
    """Measure a persona on the held-out replies, in the form it is served."""

    table: ClassVar[str] = "score"

    persona: CliPositionalArg[Path] = Path("personas/me")
    """A persona, or one sealed version of it."""
    data: Path = Path("data")
    """The folder with heldout.jsonl and messages.jsonl."""
    part: Literal["dev", "test", "test_chat"] = "dev"
    """Which held-out rows."""
    rows: int = Field(default=200, ge=1)
    """At most so many windows."""
    generations: int = Field(default=64, ge=0)
    """Replies that are drawn and searched for personal data of the records."""
    device: str = "auto"
    """As [engine] device."""
    load_in_8bit: bool = False
    """Measure the weights as they are served in 8 bit."""
    load_in_4bit: bool = False
    """Measure the weights as they are served in 4 bit."""
    as_json: Json = False
    """Print the report as one JSON object."""


class Evaluate(Table, env_prefix="MYBOT_EVALUATE_"):
    """Is it me, does it answer what was asked, does it keep what is private: report.json beside the persona."""

    table: ClassVar[str] = "evaluate"

    persona: CliPositionalArg[Path] = Path("personas/me")
    """A persona, or one sealed version of it."""
    data: Path = Path("data")
    """The folder with messages.jsonl, train.jsonl and heldout.jsonl; what the persona said is kept there too, in evaluate/."""
    quick: bool = False
    """Fewer replies, draws and attacks: a first look in minutes."""
    estimate: bool = False
    """Say how long it will take, and do no more: by an earlier report of this device, or by a probe of 20 replies."""
    seed: int = 7
    """Draws the moments, the replies and the intervals."""
    as_from: From = None
    """Make the report again from what a model said in an earlier evaluation: a file of data/evaluate. No model is loaded."""
    base_model: str = ""
    """Where the persona's base model lies, if it isn't found: without it nothing is compared with it."""
    runs: Path = Path("runs")
    """Where runs are kept; the run of the persona's name knows its base model."""
    blind: bool = False
    """After an evaluation: let friends guess on a local page who wrote it; what they guessed goes into the report."""
    blind_port: int = Field(default=8330, ge=0, le=65535)
    """The page's port on 127.0.0.1; 0 takes a free one."""
    unfiltered: Path | None = None
    """A persona trained with --no-privacy and evaluated before: what leaks without any filter, beside this one's."""
    out: Path | None = None
    """The folder of the report; left out, the persona's version."""
    device: str = "auto"
    """As [engine] device."""
    load_in_8bit: bool = False
    """Measure the weights as they are served in 8 bit."""
    load_in_4bit: bool = False
    """Measure the weights as they are served in 4 bit."""
    as_json: Json = False
    """Print the report as one JSON object."""


class Audit(Table, env_prefix="MYBOT_AUDIT_"):
    """Plant made-up secrets in a copy of the dataset; then, of a persona trained on it, how well it knows them."""

    table: ClassVar[str] = "audit"

    persona: CliPositionalArg[Path | None] = None
    """The persona that was trained on the copy; left out, the copy is made: data/audit."""
    data: Path = Path("data")
    """The folder of the dataset, audit/ in it."""
    seed: int = 7
    """Draws the secrets and where they stand."""
    base_model: str = ""
    """Where the persona's base model lies, if it isn't found."""
    runs: Path = Path("runs")
    """Where runs are kept; the run of the persona's name knows its base model."""
    device: str = "auto"
    """As [engine] device."""
    as_json: Json = False
    """Print the report as one JSON object."""


class Compare(Table, env_prefix="MYBOT_COMPARE_"):
    """Two personas at the same moments, paired, and what the gate would say if the first were to replace the second."""

    table: ClassVar[str] = "compare"

    personas: CliPositionalArg[list[Path]] = []
    """The new one and the old one; one alone is held against its base with a prompt."""
    data: Path = Path("data")
    """The folder of the records."""
    quick: bool = False
    """Fewer replies, draws and attacks."""
    seed: int = 7
    """Draws the moments, the replies and the intervals."""
    base_model: str = ""
    """Where the base model lies, if it isn't found."""
    runs: Path = Path("runs")
    """Where runs are kept."""
    device: str = "auto"
    """As [engine] device."""
    load_in_8bit: bool = False
    """Measure the weights as they are served in 8 bit."""
    load_in_4bit: bool = False
    """Measure the weights as they are served in 4 bit."""
    as_json: Json = False
    """Print the comparison as one JSON object."""


class Gate(Table, env_prefix="MYBOT_GATE_"):
    """How much worse a new persona may be, at the upper end of the 95 % interval, for `mybot retrain` to let it serve."""

    table: ClassVar[str] = "gate"

    bpc: float = Field(default=0.05, ge=0)
    """Bits a character on your replies."""
    eauc: float = Field(default=0.03, ge=0)
    """How much better a judge tells it from you."""
    style: float = Field(default=0.05, ge=0)
    """StyleScore."""
    rel_ratio: float = Field(default=0.05, ge=0)
    """How well its replies find what they answer, as a share of yours."""
    ece: float = Field(default=0.02, ge=0)
    """Calibration of when it speaks."""
    delay_ks: float = Field(default=0.05, ge=0)
    """Distance of its delays from yours."""
    verbatim: float = Field(default=0.02, ge=0)
    """Share of what it says that stands in the records, beyond your own."""
    volume_least: float = Field(default=0.8, ge=0)
    """It may speak so much less than you, as a share."""
    volume_most: float = Field(default=1.25, ge=0)
    """It may speak so much more than you, as a share."""


class Retrain(Table, env_prefix="MYBOT_RETRAIN_"):
    """From new exports to a serving persona, for cron: what did not change is not done again."""

    table: ClassVar[str] = "retrain"

    exports: CliPositionalArg[list[Path]] = []
    """New exports; left out, what was imported is used."""
    me: list[str] = []
    """Who you are, as for import."""
    preset: str = ""
    """The training recipe; left out, the [train] table."""
    name: str = "me"
    """The persona: runs/<name>, personas/<name>."""
    data: Path = Path("data")
    """The folder of the records."""
    runs: Path = Path("runs")
    """Where runs are kept."""
    personas: Path = Path("personas")
    """Where personas are kept."""
    quick: bool = False
    """A first persona in about 20 minutes: 15 of training, and fewer held-out replies looked at."""
    device: str = "auto"
    """Where the gate runs the personas, as [engine] device."""
    as_json: Json = False
    """Print the report as one JSON object."""


class Engine(Table, env_prefix="MYBOT_ENGINE_"):
    """Serve a persona over the OpenAI chat-completions protocol."""

    table: ClassVar[str] = "engine"

    persona: Path = Path("personas/me")
    """A persona, or one sealed version of it."""
    url: str = ""
    """Speak to this OpenAI-compatible server, e.g. http://127.0.0.1:8000/v1, and start no worker; several, parted by commas, share the chats."""
    api_key: SecretStr | None = None
    """Key of the server; needed to listen on anything but loopback. Belongs into .env."""
    model: str = ""
    """Model name to ask for at `url`; left out, the first that the server lists."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8321, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    device: str = "auto"
    """auto, cuda, cuda:1, cpu, …; auto refuses to put a real model on the CPU."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Dtype of the weights: auto is what the persona was sealed with, float32 on CPU."""
    threads: int = Field(default=0, ge=0)
    """Threads of a model on the CPU; 0: as many as are fastest, tried out at start."""
    load_in_8bit: bool = False
    """Load the weights in 8 bit: half the memory, slower."""
    load_in_4bit: bool = False
    """Load the weights in 4 bit: a quarter of the memory, slower."""
    base_model: Path | None = None
    """Where the base model of an adapter persona lies, if it was moved. Left out, where the persona says."""
    max_batch: int = Field(default=32, ge=1)
    """Chats answered at once."""
    max_queue: int = Field(default=128, ge=1)
    """Requests waiting; one more is answered 'busy' at once."""
    max_new_tokens: int = Field(default=256, ge=1)
    """The longest reply a request may ask for."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds after which a request ends, queue and decoding together."""
    idle_unload: float = Field(default=0.0, ge=0)
    """Seconds without a request after which the weights leave memory until the next one; 0: never."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Decode in fixed shapes that a card replays as CUDA graphs: auto does so on a card where it works."""
    attn_implementation: Literal["auto", "sdpa", "eager", "flash_attention_2", "flash_attention_3"] = "auto"
    """How attention is reckoned: auto takes flash attention where it is installed and steps aren't compiled, else sdpa."""
    prefix_reuse: bool = True
    """Keep what a chat's last turn has read, for its next one: in float32, with steps not compiled and no other chat answered at once."""
    start_timeout: float = Field(default=600.0, gt=0)
    """Seconds a worker may take to load its model."""
    stall: float = Field(default=60.0, gt=0)
    """Seconds without a sign of life after which a worker counts as hung: it is killed and started again."""
    swap: Literal["auto", "beside", "exchange"] = "auto"
    """A new persona is loaded beside the old one, or (exchange) after it has ended; auto: beside if memory allows."""
    max_personas: int = Field(default=1, ge=1)
    """Personas loaded at once where chats chose different ones; one more takes the place of the longest idle."""
    persona_idle: float = Field(default=900.0, ge=0)
    """Seconds without a request after which a persona that only some chats chose is unloaded; 0: never."""

    @property
    def urls(self) -> list[str]:
        """Each of the servers in `url`."""
        return [url.strip() for url in self.url.split(",") if url.strip()]


class Bot(Table, env_prefix="MYBOT_BOT_"):
    """Answer on QQ through NoneBot."""

    table: ClassVar[str] = "bot"

    adapters: list[str] = ["nonebot.adapters.onebot.v11"]
    """NoneBot adapters to load."""
    onebot_v11_ws_urls: list[str] = []
    """Forward: WebSocket addresses of the QQ side (NapCat: WebSocket 服务端), e.g. ws://127.0.0.1:3001."""
    onebot_access_token: SecretStr | None = None
    """The token both sides know. Belongs into .env."""
    host: str = "127.0.0.1"
    """Reverse: address to listen on for the QQ side (NapCat: WebSocket 客户端)."""
    port: int = Field(default=0, ge=0, le=65535)
    """Reverse: port to listen on, path /onebot/v11/ws; 0: don't listen."""
    superusers: list[str] = []
    """The owner's accounts: may give commands, and get answers in private. A QQ number, or telegram:123456."""
    chats: list[str] = []
    """Chats that get answers, such as group:123456 or telegram:group:-100123; everybody else is off."""
    bots: list[str] = []
    """Accounts in groups that are bots beside QQ's own: never answered."""
    backfill: int = Field(default=20, ge=0, le=100)
    """Messages of each open chat that are asked for on connecting, as context only; 0: none."""
    personas: dict[str, str] = {}
    """Chats that another persona than [engine] persona speaks in: {"group:123456" = "its name"}."""
    command_start: list[str] = ["/", "."]
    """Prefixes of commands."""
    nickname: list[str] = []
    """Names the bot listens to in groups beside @; left out, the persona's own."""
    database: str = "sqlite+aiosqlite:///data/history.db"
    """Where chats are kept: an SQLAlchemy URL; SQLite paths are relative to the checkout."""
    keep_days: float = Field(default=365.0, ge=0)
    """Days after which messages are deleted there; what the owner taught stays. 0: kept for ever."""
    mode: Literal["off", "called", "join", "draft", "shadow"] = "called"
    """What allowed chats get: off, called (answers), join (also speaks up), draft (to the owner), shadow (nothing)."""
    freq: float = Field(default=1.0, ge=0, le=4)
    """How often it speaks up by itself, of how often I really do; 0: only when called."""
    delays: float = Field(default=1.0, ge=0)
    """My pauses before and within a reply: 1 as long as mine, 0 none."""
    night: Literal["later", "morning"] = "later"
    """When a call in my quiet hours is answered: some minutes later, or when they end."""
    draft_minutes: float = Field(default=30.0, gt=0)
    """Minutes in which a draft can be sent by your word; later it is too old."""
    takeover: float = Field(default=600.0, ge=0)
    """Seconds of silence in a chat after the owner wrote there."""
    per_minute: int = Field(default=6, ge=1)
    """Bubbles in one chat within a minute, at most."""
    per_day: int = Field(default=2000, ge=1)
    """Bubbles of the account in a day, at most."""
    memory: Path = Path("data/memory.db")
    """What is remembered beyond the last lines: made by `mybot remember`; where it isn't there, nothing is."""
    me: Path = Path("data/me.toml")
    """Facts about you that the persona may use: made by `mybot facts`; where it isn't there, none."""
    summaries: Path = Path("data/summaries")
    """A summary of each chat: made by `mybot summaries`; where the folder isn't there, none."""
    embeddings: str = ""
    """An OpenAI-compatible server (…/v1) that finds what was said in other words, too; empty: words alone find."""
    embeddings_model: str = ""
    """The model it is asked for; another one's vectors are made anew."""
    embeddings_api_key: SecretStr | None = None
    """Its key. Belongs into .env."""
    embeddings_timeout: float = Field(default=0.5, gt=0, le=10)
    """Seconds a reply waits for it at most."""
    debounce: float = Field(default=1.8, ge=0)
    """Seconds of quiet after which a burst is taken as one turn; follows each sender's own pace."""
    debounce_max: float = Field(default=10.0, ge=0)
    """Seconds after which a burst is answered even if it goes on."""
    stale: float = Field(default=120.0, gt=0)
    """A message older than this on arrival is kept, not answered."""
    bubble_pause: float = Field(default=1.2, ge=0)
    """Seconds between two bubbles of one reply, before typing time."""
    max_bubbles: int = Field(default=4, ge=1)
    """Bubbles of one reply at most."""
    language: Literal["zh", "en", "auto"] = "zh"
    """What commands answer and you are told is in; auto: as the command was named. Others are answered as they write."""
    disclosure: bool = True
    """Say once in each private chat that it is an AI who writes, and say so to whoever asks."""
    stop_word: str = "紧急停止"
    """A line of the owner's, in any chat, that silences the bot everywhere at once; empty: there is none."""
    alert_url: SecretStr | None = None
    """Where you are told that QQ is away: this address gets a POST. Belongs into .env."""
    alert_style: Literal["json", "text"] = "json"
    """What it gets: {"title", "text"} as JSON, or the text alone, as ntfy takes it."""
    alert_mail: str = ""
    """The same by mail: your address."""
    alert_after: float = Field(default=60.0, ge=0, le=110)
    """Seconds that an account may be away before you are told."""
    smtp_host: str = ""
    """The server that takes the mail, e.g. smtp.qq.com."""
    smtp_port: int = Field(default=465, ge=1, le=65535)
    """Its port: mostly 465 for tls, 587 for starttls."""
    smtp_security: Literal["tls", "starttls", "none"] = "tls"
    """How the way there is kept secret."""
    smtp_user: str = ""
    """Account there, mostly your address; empty: no login."""
    smtp_password: SecretStr | None = None
    """Its password (授权码 at QQ and 163). Belongs into .env."""
    auto_reload: float = Field(default=0.0, ge=0)
    """Look every so many seconds whether the persona has a new version, and take it; 0: only /reload does."""
    guard: bool = True
    """Hold back personal data, contacts nobody named, other chats' lines, repeats, and money, codes, passwords."""
    temperature: float | None = None
    """Overrides the persona's own sampling."""
    max_tokens: int | None = None
    """Overrides the persona's own longest reply."""


class Shadow(Table, env_prefix="MYBOT_SHADOW_"):
    """Compare what the bot would have said in shadow chats with what you then said."""

    table: ClassVar[str] = "shadow"

    database: str = ""
    """The bot's history; left out, [bot] database."""
    days: float = Field(default=14.0, gt=0)
    """So many days back."""
    within: float = Field(default=300.0, gt=0)
    """Seconds between a draft and your line that still belong together."""
    pairs: bool = False
    """Show every draft beside what you said; on this terminal only."""
    as_json: Json = False
    """Print the figures as one JSON object."""


class Chat(Table, env_prefix="MYBOT_CHAT_"):
    """Talk with a persona in the terminal."""

    table: ClassVar[str] = "chat"

    persona: CliPositionalArg[Path] = Path("personas/me")
    """A persona, or one sealed version of it."""
    name: str = "朋友"
    """Who you are in this chat."""
    url: str = ""
    """Speak to this OpenAI-compatible server instead of starting one."""
    device: str = ""
    """As [engine] device; left out, taken from there."""
    load_in_8bit: bool = False
    """Load the weights in 8 bit."""
    load_in_4bit: bool = False
    """Load the weights in 4 bit."""
    temperature: float | None = None
    """Overrides the persona's own sampling; 0 always takes the likeliest token."""
    me: Path = Path("data/me.toml")
    """As [bot] me: of these facts those that anyone may hear."""
    guard: bool = True
    """As [bot] guard."""


class Web(Table, env_prefix="MYBOT_WEB_"):
    """Talk with a persona in the browser (Gradio)."""

    table: ClassVar[str] = "web"

    persona: CliPositionalArg[Path] = Path("personas/me")
    """A persona, or one sealed version of it."""
    name: str = "朋友"
    """Who you are in this chat."""
    url: str = ""
    """Speak to this OpenAI-compatible server instead of starting one."""
    server_name: str = "127.0.0.1"
    """Address to listen on."""
    server_port: int = Field(default=7860, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    share: bool = False
    """Make a public link through Gradio's servers: everybody who has it can talk to the persona."""
    device: str = ""
    """As [engine] device; left out, taken from there."""
    load_in_8bit: bool = False
    """Load the weights in 8 bit."""
    load_in_4bit: bool = False
    """Load the weights in 4 bit."""
    temperature: float | None = None
    """Overrides the persona's own sampling; 0 always takes the likeliest token."""
    me: Path = Path("data/me.toml")
    """As [bot] me: of these facts those that anyone may hear."""
    guard: bool = True
    """As [bot] guard."""


class Demo(Table, env_prefix="MYBOT_DEMO_"):
    """The whole way on the bundled sample, then a chat."""

    table: ClassVar[str] = "demo"

    folder: Path = Path("data/demo")
    """Everything the demo makes."""
    seed: int = 7
    """Seed of the toy base model and of its training."""
    fresh: bool = False
    """Throw away what an earlier demo made and do it all again."""
    chat: bool = True
    """Open a chat at the end; without a terminal a fixed conversation is played instead."""


class Doctor(Table, env_prefix="MYBOT_DOCTOR_"):
    """Look at this set-up and say what is wrong with it."""

    table: ClassVar[str] = "doctor"

    as_json: Json = False
    """Print the findings as one JSON object."""


TABLES: tuple[type[Table], ...] = (
    Import,
    Dataset,
    Remember,
    Facts,
    Summaries,
    Pull,
    Train,
    Merge,
    Export,
    Score,
    Evaluate,
    Audit,
    Compare,
    Gate,
    Retrain,
    Engine,
    Bot,
    Shadow,
    Chat,
    Web,
    Demo,
    Doctor,
)
