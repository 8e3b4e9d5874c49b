"""What Axolotl makes of a dataset: run by an interpreter that has it.

python axolotl.py BASE_MODEL EXPORTS OUT
"""

import json
import sys
from pathlib import Path

import yaml

# This file has its name.
sys.path.pop(0)

from axolotl.prompt_strategies.chat_template import StrategyLoader
from axolotl.utils.dict import DictDefault
from transformers import AutoTokenizer

base, exports, out = sys.argv[1:4]
config = yaml.safe_load((Path(exports) / "axolotl.yaml").read_text(encoding="utf-8"))
(dataset,) = config["datasets"]
strategy = StrategyLoader()(AutoTokenizer.from_pretrained(base), DictDefault({**config, "sequence_len": 4096}), dataset)
lines = (Path(exports) / dataset["path"]).read_text(encoding="utf-8").splitlines()
read = [strategy.tokenize_prompt(json.loads(line)) for line in lines]
Path(out).write_text(json.dumps([[list(row["input_ids"]), list(row["labels"])] for row in read]))
