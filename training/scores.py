"""Two scores of chances against what happened: how well they order it. numpy alone, and fast enough for a bootstrap."""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def auc(took: "Array", p: "Array") -> float:
    """The area under the ROC curve: how often an occasion that was taken had the higher chance; ties count half."""
    import numpy as np

    n = int(took.sum())
    if not 0 < n < len(took):
        return math.nan
    values, place, counts = np.unique(p, return_inverse=True, return_counts=True)
    taken = np.bincount(place, weights=took, minlength=len(values))
    passed = counts - taken
    below = np.cumsum(passed) - passed
    return float((taken * (below + passed / 2)).sum() / (n * (len(took) - n)))


def average_precision(took: "Array", p: "Array") -> float:
    """Σ (recall gained · precision) over falling chances."""
    import numpy as np

    if not took.any():
        return math.nan
    order = np.argsort(-p, kind="stable")
    borders = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))
    found = np.cumsum(took[order])[borders]
    return float((np.diff(found, prepend=0) / found[-1] * found / (borders + 1)).sum())
