"""config/mybot.toml and .env.example, drawn from the tables: `python -m config.generate`."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from config.settings import ROOT, TABLES, knobs

HEAD = """\
# Every knob of mybot with its default. Take the # off a line to change it.
# First found wins: a flag, a MYBOT_<TABLE>_<KNOB> variable or .env, this file, the preset, the default.
# Drawn from config/settings.py by `python -m config.generate`.
"""

ENV_HEAD = """\
# Secrets: copy this file to .env (which git ignores) and fill in what you need.
"""


def toml() -> str:
    """The whole settings file, all knobs commented out."""
    parts = [HEAD]
    for cls in TABLES:
        parts.append(f"\n# {cls.__doc__}\n[{cls.table}]\n")
        for name, field in knobs(cls).items():
            if not _secret(cls, name):
                parts.append(f"# {name} = {_value(field.default)}    # {field.description}\n")
    return "".join(parts)


def env_example() -> str:
    """The secrets, as variables."""
    parts = [ENV_HEAD]
    for cls in TABLES:
        parts.extend(
            f"\n# {field.description}\n# MYBOT_{cls.table.upper()}_{name.upper()}=\n"
            for name, field in knobs(cls).items()
            if _secret(cls, name)
        )
    parts.append("\n# A Hugging Face token and mirror, for base models that need them.\n# HF_TOKEN=\n# HF_ENDPOINT=\n")
    return "".join(parts)


def _secret(cls: type[BaseModel], name: str) -> bool:
    return SecretStr.__name__ in str(knobs(cls)[name].annotation)


def _value(value: Any) -> str:
    if value is None:
        return '""'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_value(name)} = {_value(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    text = value.as_posix() if isinstance(value, Path) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main() -> None:
    (ROOT / "config" / "mybot.toml").write_text(toml(), encoding="utf-8")
    (ROOT / ".env.example").write_text(env_example(), encoding="utf-8")


if __name__ == "__main__":
    main()
