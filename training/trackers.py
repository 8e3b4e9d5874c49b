"""`report_to`: trackers that are told of a run. Only numbers and the recipe reach them, never a message.

They are the Trainer's own; here is where their files go, and what they must not take along.
"""

import os
from importlib.util import find_spec

from config.errors import TrainingError
from config.settings import Train


def prepare(knobs: Train) -> None:
    """Before the Trainer is made. TrainingError if the tracker isn't installed; what the user set stays."""
    tracker = knobs.report_to
    if tracker == "none":
        return
    if find_spec(tracker) is None:
        raise TrainingError(
            f"report_to = {tracker!r}, but it isn't installed", hint=f"pip install {tracker}, or --report-to none"
        )
    run = knobs.runs / knobs.name
    # Else tensorboard's files would go with the unfinished run's folder.
    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(run / "tensorboard"))
    for name, value in {
        "WANDB_PROJECT": "mybot",
        # What a terminal shows, and the code, are nobody's business.
        "WANDB_CONSOLE": "off",
        "WANDB_DISABLE_CODE": "true",
        "WANDB_DISABLE_GIT": "true",
    }.items():
        os.environ.setdefault(name, value)
