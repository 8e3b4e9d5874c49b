"""How a table of settings is read: flags, variables, the TOML file, defaults. The tables are in settings.py."""

import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from dotenv import load_dotenv
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    CliApp,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError as CliError,
)

from config.errors import SettingsError, UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

T = TypeVar("T", bound="Table")


class Table(BaseSettings):
    """One table of the TOML file, and the flags of one command."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=True,
        populate_by_name=True,
        protected_namespaces=(),
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
        cli_exit_on_error=False,
    )

    table: ClassVar[str]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _Toml(settings_cls)


class _Toml(PydanticBaseSettingsSource):
    """The table of the TOML file over the anchored defaults."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        cls: Any = self.settings_cls
        values = read_toml().get(cls.table, {})
        wrong = [name for name in values if name not in knobs(cls)]
        if wrong:
            raise SettingsError(f"[{cls.table}] has no knob {wrong[0]!r}", hint=_nearest(cls, wrong[0]))
        anchored = {name: field.default for name, field in cls.model_fields.items() if isinstance(field.default, Path)}
        paths = {name for name, field in cls.model_fields.items() if "Path" in str(field.annotation)}
        # The file shows a path that is left out as "".
        given = {name: value for name, value in values.items() if value != "" or name not in paths}
        merged = {**anchored, **given}
        return {name: _anchor(value) if name in paths else value for name, value in merged.items()}


def _anchor(value: Any) -> Any:
    if isinstance(value, list):
        return [_anchor(item) for item in value]
    return ROOT / Path(value).expanduser() if value not in (None, "") else value


def knobs(cls: type[BaseModel]) -> dict[str, FieldInfo]:
    """The knobs of a table under the names the TOML file uses."""
    return {name.removeprefix("as_"): field for name, field in cls.model_fields.items()}


def toml_path() -> Path:
    """The settings file: MYBOT_CONFIG, or config/mybot.toml of the checkout."""
    return Path(os.environ.get("MYBOT_CONFIG") or ROOT / "config" / "mybot.toml")


def read_toml() -> dict[str, dict[str, Any]]:
    """The settings file; a missing or broken one, or an unknown table, is a SettingsError."""
    path = toml_path()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist", hint="point MYBOT_CONFIG at a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}", hint="mend that line of the file") from None
    known = [cls.table for cls in Table.__subclasses__()]
    for name, value in content.items():
        if name not in known or not isinstance(value, dict):
            raise SettingsError(f"{path} has an unknown table [{name}]", hint=f"the tables: {', '.join(known)}")
    return content


def parse(cls: type[T], args: list[str], command: str = "") -> T:
    """The settings of a command with its flags on top. `--help` prints and exits."""
    load_dotenv(ROOT / ".env")
    named = cast("type[T]", type(cls.__name__, (cls,), {"__doc__": cls.__doc__, "__module__": cls.__module__}))
    named.model_config["cli_prog_name"] = f"mybot {command or cls.table}"
    try:
        return CliApp.run(named, cli_args=[word for arg in args for word in _spelt(arg)])
    except ValidationError as error:
        raise _explain(cls, error) from None
    except CliError as error:
        text = str(error).removeprefix("error parsing CLI: ")
        wrong = text.rsplit("unrecognized arguments: ", 1)[-1].split()[0] if "unrecognized" in text else ""
        raise UsageError(text, hint=_nearest(cls, wrong, flags=True) if wrong else "see --help") from None


def _spelt(arg: str) -> list[str]:
    """A knob of one letter is -r to argparse; --r is what the TOML file and PEFT lead one to type."""
    name, equals, value = arg.partition("=")
    if len(name) != 3 or not name.startswith("--"):
        return [arg]
    return [name[1:], value] if equals else [name[1:]]


def load(cls: type[T], **values: Any) -> T:
    """The settings of a table without a command line; `values` win over everything."""
    load_dotenv(ROOT / ".env")
    try:
        return cls(**values)
    except ValidationError as error:
        raise _explain(cls, error) from None


def _explain(cls: type[Table], error: ValidationError) -> SettingsError:
    first = error.errors(include_url=False)[0]
    knob = ".".join(str(part) for part in first["loc"])
    hint = (
        _nearest(cls, knob) if first["type"] == "extra_forbidden" else "see the help of this knob in config/mybot.toml"
    )
    shown = "" if "secret" in str(first["type"]) else f" = {first['input']!r}"
    return SettingsError(f"[{cls.table}] {knob}{shown}: {first['msg'].lower()}", hint=hint)


def _nearest(cls: type[Table], wrong: str, *, flags: bool = False) -> str:
    names = [f"--{name.replace('_', '-')}" if flags else name for name in knobs(cls)]
    close = get_close_matches(wrong if flags else wrong.replace("-", "_"), names, n=3)
    return f"did you mean {', '.join(close)}?" if close else f"there are: {', '.join(names)}"
