"""Errors that are shown to a person: one line of what happened, one line of what to do.

    MyBotError
     ├── SettingsError    a knob of the TOML file or the environment is misspelt or out of range
     │    └── UsageError  the same on the command line (exit code 2)
     ├── InputError       an export or a data file can't be read as it is
     ├── TrainingError    a base model, a recipe or a run can't be used
     ├── PersonaError     a persona folder is missing, unsealed or damaged
     └── EngineError      the engine can't start, or refused or lost a request

Whatever is not a MyBotError is a bug and keeps its traceback.
"""


class MyBotError(Exception):
    """Something the user can mend. `hint` says how, in one line."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def lines(self) -> str:
        """The two lines a terminal shows."""
        first = f"error: {self}"
        return f"{first}\n hint: {self.hint}" if self.hint else first


class SettingsError(MyBotError):
    pass


class UsageError(SettingsError):
    exit_code = 2


class InputError(MyBotError):
    pass


class TrainingError(MyBotError):
    pass


class PersonaError(MyBotError):
    pass


class EngineError(MyBotError):
    pass
