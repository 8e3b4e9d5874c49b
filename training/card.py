"""The model card of a persona: README.md in its folder, drawn from the manifest and nothing else.

Chinese and English; numbers, names and commands, and not a word that anybody said in a chat.
"""

from bot.persona.manifest import Persona

CONSENT = """\
> **这是一个人的说话方式。** 它由本人的聊天记录训练而成，记录里也有别人说过的话。只在本人同意时使用；
> 告诉和它聊天的人，对面是 AI；不要用它冒充本人，不要公开发布它的权重。
>
> **This is how one person talks.** It was trained on that person's own chats, in which others spoke too.
> Use it only with their consent, tell those who talk with it that it is an AI, never pass it off as the
> person, and don't publish its weights.
"""


def model_card(persona: Persona) -> str:
    """README.md of a version folder, with the head that model hubs and loaders read."""
    return "\n".join((_head(persona), _about(persona), CONSENT, _made(persona), _measured(persona), _serving(persona)))


def _head(persona: Persona) -> str:
    model = persona.model
    lines = ["---", "language: zh", "pipeline_tag: text-generation"]
    lines.append(f"library_name: {'peft' if model.weights == 'adapter' else 'transformers'}")
    if "/" in model.base:
        lines += [f"base_model: {model.base}"]
    lines += [f"license: {model.license}"] if model.license else []
    return "\n".join([*lines, "---", ""])


def _about(persona: Persona) -> str:
    model = persona.model
    revision = f" @ {model.revision}" if model.revision else ""
    what = (
        "adapter 与基座分开 / an adapter beside its base" if model.weights == "adapter" else "合并权重 / merged weights"
    )
    rows = {
        "基座 base model": f"{model.base}{revision}",
        "许可 licence": model.license or "见基座 / see the base model",
        "参数 parameters": f"{model.parameters:,}",
        "形式 form": f"{what}, {model.dtype}",
        "上下文 context": f"{model.context:,} tokens",
        "制成 made": f"{persona.provenance.created:%Y-%m-%d}, mybot {persona.provenance.mybot}",
    }
    return f"# {persona.name}\n\n{_table(rows)}"


def _made(persona: Persona) -> str:
    origin = persona.provenance
    counts = {name.replace("_", " "): f"{number:,}" for name, number in origin.counts.items()}
    names = ("preset", "load_in_4bit", "load_in_8bit", "r", "lora_alpha", "lora_dropout", "target_modules", "loss_on")
    names += ("max_length", "learning_rate", "num_train_epochs", "max_steps", "use_dora", "use_rslora", "seed")
    recipe = {name: str(origin.recipe[name]) for name in names if origin.recipe.get(name) not in (None, "", False)}
    data = {f"SHA-256 {name}": digest[:16] for name, digest in origin.data.items()}
    return f"## 训练 Training\n\n{_table(counts | recipe | data | origin.packages)}"


def _measured(persona: Persona) -> str:
    origin, generation = persona.provenance, persona.generation
    losses = {name.replace("_", " "): f"{loss:.4g}" for name, loss in origin.losses.items()}
    errors = {f"logit error, {name}": f"{error:.4g}" for name, error in origin.merge_errors.items()}
    told = {"选用 shipped": origin.form, "测法 served in": origin.served} if origin.served else {}
    drawn = {name: f"{value:g}" for name, value in generation.model_dump().items()}
    fitted = {f"fit: {name}": f"{value:g}" for name, value in origin.sampling.items()}
    return (
        "## 测量 Measurements\n\n本人回复的损失，nats/token；logit 误差相对于训练时的模型。\n"
        "Loss on the person's own replies in nats a token; logit errors are relative to the model as trained.\n\n"
        f"{_table(losses | errors | told)}\n## 采样 Sampling\n\n{_table(drawn | fitted)}"
    )


def _serving(persona: Persona) -> str:
    model = persona.model
    if model.weights == "adapter":
        more = (
            f"vllm serve {model.base} --enable-lora --lora-modules {persona.name}=./adapter --chat-template chat_template.jinja\n"
            f"python -m sglang.launch_server --model-path {model.base} --lora-paths {persona.name}=./adapter\n"
            f"python convert_lora_to_gguf.py ./adapter && llama-server -m {model.base}.gguf --lora adapter.gguf   # llama.cpp"
        )
    else:
        more = (
            f"vllm serve . --served-model-name {persona.name}\n"
            f"python -m sglang.launch_server --model-path . --served-model-name {persona.name}\n"
            "python convert_hf_to_gguf.py . --outfile persona.gguf && llama-server -m persona.gguf --jinja   # llama.cpp"
        )
    return (
        "## 使用 Serving\n\n在本文件夹中 / in this folder：\n\n```\n"
        f"mybot chat .\nmybot serve --persona .\n{more}\n```\n\n"
        "前两条之外的服务用 `[engine] url` 接入 mybot。提示词的格式由 `chat_template.jinja` 和 `persona.json` 决定。\n"
        "Servers other than the first two are joined to mybot by `[engine] url`. `chat_template.jinja` and\n"
        "`persona.json` say how it is prompted.\n"
    )


def _table(rows: dict[str, str]) -> str:
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|-|-|", *lines, ""])
