"""Attention over windows that lie end to end, each apart, without a mask of all pairs.

    packed row + where its windows begin ─varlen kernel─▶ each window's own attention

PyTorch has such a kernel for cards from compute capability 8.0 on; `flash_attn` isn't needed. Where
the windows' beginnings aren't given (a reply that is drawn while training), it is sdpa as ever.
"""

from typing import Any

NAME = "varlen"


def use_varlen(model: Any, asked: str) -> bool:
    """Whether the model's attention keeps windows apart without such a mask; where it was
    `asked` for nothing else and this machine has PyTorch's kernel, it is given that."""
    import torch

    if asked != "auto":
        return "flash" in asked
    if not torch.cuda.is_available() or torch.cuda.get_device_capability() < (8, 0):
        return False
    if model.dtype not in (torch.float16, torch.bfloat16):
        return False
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, mask)
    model.set_attn_implementation(NAME)
    return model.config._attn_implementation == NAME


def attend(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, cu_seq_lens_q: Any = None, **options: Any
) -> tuple[Any, None]:
    """transformers' attention function: (1, heads, tokens, width) in, (1, tokens, heads, width) out."""
    from torch.nn.attention.varlen import varlen_attn
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if cu_seq_lens_q is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    if options.get("softcap") is not None:
        raise ValueError("the varlen kernel has no soft cap")
    window = options.get("sliding_window")
    longest = options["max_length_q"]
    query, key, value = (part[0].transpose(0, 1) for part in (query, key, value))
    # Older kernels know no grouped heads, nor the word for them; where there are none it isn't said.
    grouped: dict[str, Any] = {"enable_gqa": True} if key.shape[1] != query.shape[1] else {}
    out: Any = varlen_attn(
        query,
        key,
        value,
        cu_seq_lens_q,
        cu_seq_lens_q,
        longest,
        longest,
        scale=options.get("scaling"),
        window_size=(window - 1 if window else -1, 0),
        **grouped,
    )
    return out[None], None


def mask(*, config: Any, allow_is_causal_skip: bool = True, **options: Any) -> Any:
    """No mask of all pairs for packed windows: the kernel knows where they begin."""
    from transformers.masking_utils import sdpa_mask

    alone = options["batch_size"] == 1 and options["q_length"] == options["kv_length"]
    # transformers never lets a packed row go without a mask; a sliding window needs one as well.
    if not allow_is_causal_skip and alone and options.get("attention_mask") is None and not _slides(config):
        return None
    return sdpa_mask(**options, config=config, allow_is_causal_skip=allow_is_causal_skip)


def _slides(config: Any) -> bool:
    return getattr(config, "sliding_window", None) is not None
