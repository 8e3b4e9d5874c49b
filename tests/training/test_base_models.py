"""Any base model: tokenizers of every family get a plain template; every architecture trains and merges."""

from pathlib import Path
from typing import Any

import pytest
import torch

from bot.persona.prompt import PromptSpec, render
from config.errors import TrainingError
from config.settings import Train
from tests.training.bases import SMALL, tiny_model
from tests.training.conftest import chats
from training import adapters, base, recipe, tiny
from training.dataset import read_rows, turns_of
from training.sft import check_rows
from training.templates import CHATML, PLAIN, dress
from training.windows import IGNORE, label

THINKING = (
    "{{ bos_token or '' }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>\n\n</think>\n\n{% endif %}"
)
MARKED = "{% for m in messages %}{% generation %}{{ m['content'] }}{% endgeneration %}{% endfor %}"

FAMILIES: dict[str, dict[str, Any]] = {
    "qwen": {"special": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], "eos_token": "<|im_end|>"},
    "qwen-base": {"special": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], "eos_token": "<|endoftext|>"},
    "llama-2": {"special": ["<unk>", "<s>", "</s>"], "bos_token": "<s>", "eos_token": "</s>", "metaspace": "▁"},
    "llama-3": {
        "special": ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
        "bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>",
    },
    "glm": {
        "special": ["<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>"],
        "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
    },
    "gemma": {
        "special": ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"],
        "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "metaspace": "",
    },
    "hunyuan": {
        "special": ["<｜hy_begin▁of▁sentence｜>", "<｜hy_User｜>", "<｜hy_Assistant｜>", "<｜hy_place▁holder▁no▁2｜>"],
        "bos_token": "<｜hy_begin▁of▁sentence｜>", "eos_token": "<｜hy_place▁holder▁no▁2｜>",
    },
}  # fmt: skip


def tokenizer_of(special: list[str], *, metaspace: str | None = None, **named: str) -> Any:
    """A tokenizer as that family builds them: byte-level BPE, or pieces with byte fallback; not yet dressed."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    texts = [message.text for message in chats()]
    if metaspace is not None:
        core = Tokenizer(models.BPE(byte_fallback=True, unk_token=None))
        replace = normalizers.Replace(" ", "▁")
        # Llama-2's puts one before every stretch of text.
        core.normalizer = normalizers.Sequence([normalizers.Prepend(metaspace), replace]) if metaspace else replace
        core.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
        alphabet = [f"<0x{byte:02X}>" for byte in range(256)]
        trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=[*special, *alphabet], show_progress=False)
    else:
        core = Tokenizer(models.BPE())
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        core.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=700,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    core.train_from_iterator(texts, trainer)
    if bos := named.get("bos_token"):
        # These families put their first token before every text, unless told otherwise.
        core.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, core.token_to_id(bos))]
        )
    extra = [token for token in special if token not in named.values()]
    return PreTrainedTokenizerFast(tokenizer_object=core, extra_special_tokens=extra, **named)


@pytest.mark.parametrize("template", [None, THINKING, MARKED], ids=["none", "thinking", "generation marks"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gets_a_plain_template(family: str, template: str | None, data: Path, spec: PromptSpec) -> None:
    tokenizer = tokenizer_of(**FAMILIES[family])
    if template is not None:
        tokenizer.chat_template = template
    dress(tokenizer)
    assert tokenizer.chat_template == (CHATML if family.startswith("qwen") else PLAIN)
    assert tokenizer.pad_token is not None
    check_rows(tokenizer, spec, data / "train.jsonl")
    row = next(iter(read_rows(data / "train.jsonl")))
    turns = render(turns_of(row), spec, kind=row["kind"], name=row["name"])
    window = label(tokenizer, turns, {tokenizer.eos_token_id})
    learned = [token for token in window.labels if token != IGNORE]
    assert learned.count(tokenizer.eos_token_id) == sum(bool(turn.targets) for turn in turns)
    assert "think" not in tokenizer.decode(window.input_ids)
    # Exactly one beginning, where the family has one.
    if tokenizer.bos_token_id is not None and not family.startswith("qwen"):
        assert window.input_ids.count(tokenizer.bos_token_id) == 1
        assert window.input_ids[0] == tokenizer.bos_token_id


def test_a_tokenizer_without_an_end_is_refused() -> None:
    with pytest.raises(TrainingError, match="no end token"):
        dress(tokenizer_of(["<pad>"]))


ARCHITECTURES = [
    "llama", "qwen2", "qwen3", "qwen3_5_text", "glm4", "hunyuan_v1_dense", "ernie4_5", "gemma3_text", "internlm3",
]  # fmt: skip


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_trains_and_merges(architecture: str, tokenizer: Any, tmp_path: Path) -> None:
    from peft import PeftModel, get_peft_model

    base.quiet()
    tiny.save(tmp_path / "base", tokenizer, tiny_model(architecture, tokenizer))
    knobs = Train(base_model=str(tmp_path / "base"), r=4, lora_alpha=8)
    model: Any = get_peft_model(base.load_model(knobs.base_model, dtype=torch.float32), recipe.lora(knobs))
    covered(model, "linear_attn" if architecture == "qwen3_5_text" else "self_attn")
    ids = torch.arange(5, 45).reshape(2, 20)
    before = model(ids, labels=ids).loss
    before.backward()
    with torch.no_grad():
        for weights in model.parameters():
            if weights.grad is not None:
                weights -= 0.5 * weights.grad / (weights.grad.norm() + 1e-6)
    model.eval()
    with torch.no_grad():
        trained = model(ids).logits
    assert model(ids, labels=ids).loss < before
    adapters.save(model, tmp_path / "adapter")
    fresh = base.load_model(knobs.base_model, dtype=torch.float32)
    merged: Any = PeftModel.from_pretrained(fresh, tmp_path / "adapter").merge_and_unload(safe_merge=True)
    merged.save_pretrained(tmp_path / "persona")
    served = base.load_model(str(tmp_path / "persona"), dtype=torch.float32).eval()
    with torch.no_grad():
        assert torch.allclose(served(ids).logits, trained, atol=2e-5)


def covered(model: Any, kind: str) -> None:
    """Every linear layer but the head has an adapter, those of linear attention too."""
    from peft.tuners.lora import LoraLayer

    head = model.get_output_embeddings()
    layers = {id(m.base_layer): name for name, m in model.named_modules() if isinstance(m, LoraLayer)}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and ".lora_" not in name and module is not head:
            assert id(module) in layers, name
    assert any(kind in name for name in layers.values())


def test_of_a_model_with_eyes_only_the_text_model_is_taken(tokenizer: Any, tmp_path: Path) -> None:
    from peft import get_peft_model
    from transformers import AutoConfig, AutoModelForImageTextToText

    from tests.training.bases import MORE

    base.quiet()
    text = {**SMALL, **MORE["qwen3_5_text"], "vocab_size": len(tokenizer) + -len(tokenizer) % 64}
    eyes = {"depth": 1, "hidden_size": 64, "intermediate_size": 128, "num_heads": 2, "out_hidden_size": 64}
    config = AutoConfig.for_model("qwen3_5", text_config=text, vision_config=eyes, tie_word_embeddings=False)
    whole: Any = AutoModelForImageTextToText.from_config(config)
    assert any("visual" in name for name, _ in whole.named_parameters())
    tiny.save(tmp_path / "base", tokenizer, whole)
    ids = torch.arange(5, 45).reshape(2, 20)
    with torch.no_grad():
        seen = whole.eval()(input_ids=ids).logits
    model: Any = base.load_model(str(tmp_path / "base"), dtype=torch.float32).eval()
    with torch.no_grad():
        assert torch.allclose(model(ids).logits, seen, atol=2e-5)
    tuned: Any = get_peft_model(model, recipe.lora(Train(r=4)))
    covered(tuned, "linear_attn.in_proj_qkv")
    assert not any("visual" in name for name, _ in tuned.named_parameters())
    tuned.merge_and_unload().save_pretrained(tmp_path / "persona")
    again = base.load_model(str(tmp_path / "persona"), dtype=torch.float32)
    assert not any("visual" in name for name, _ in again.named_parameters())
    with torch.no_grad():
        assert torch.allclose(again.eval()(ids).logits, seen, atol=2e-5)


def test_a_preset_without_a_base_says_so_instead_of_taking_another() -> None:
    assert recipe.resolve(Train(preset="tiny-cpu")).base_model == ""
    with pytest.raises(TrainingError, match="no base model is named") as caught:
        base.load_config("")
    assert "--base-model" in caught.value.hint


def test_asking_the_hub_is_said_once(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    base.quiet()
    with pytest.raises(TrainingError, match="nobody/nothing can't be loaded"):
        base.load_config("nobody/nothing")
    assert capfd.readouterr().err == "asking the hub for nobody/nothing\n"
