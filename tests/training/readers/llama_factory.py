"""What LLaMA-Factory makes of a dataset: run by an interpreter that has it.

python llama_factory.py BASE_MODEL EXPORTS OUT
"""

import json
import os
import sys
from pathlib import Path

# The newest torch is not among those it was released with.
os.environ["DISABLE_VERSION_CHECK"] = "1"

from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import get_train_args
from transformers import AutoTokenizer

base, exports, out = sys.argv[1:4]
given = {
    "model_name_or_path": base, "stage": "sft", "do_train": True, "finetuning_type": "lora",
    "dataset": "mybot_train_chatml", "dataset_dir": exports, "template": "chatml", "cutoff_len": 4096,
    "output_dir": f"{out}.run", "overwrite_cache": True, "preprocessing_num_workers": 1, "use_cpu": True,
}  # fmt: skip
model_args, data_args, training_args, *_ = get_train_args(given)
tokenizer = AutoTokenizer.from_pretrained(base)
template = get_template_and_fix_tokenizer(tokenizer, data_args)
module = get_dataset(template, model_args, data_args, training_args, stage="sft", tokenizer=tokenizer)
rows = [[row["input_ids"], row["labels"]] for row in module["train_dataset"]]
Path(out).write_text(json.dumps(rows))
