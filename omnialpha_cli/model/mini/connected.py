"""Number the connected parts of a mask."""

import numpy as np
from numpy.typing import NDArray


def number_parts(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number the parts of a `mask` (h, w) from 1 on, in the order of their first pixels; 0 is where it is false.

    Pixels are connected by their sides. Runs of pixels in a row are joined to those that they touch in the row above.
    """
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)  # behind the last pixel of each run
    of_row = np.searchsorted(rows, np.arange(len(mask) + 1)).tolist()  # the first run of each row
    begin, end, earlier = starts.tolist(), ends.tolist(), list(range(len(rows)))  # a run of the same part, or itself

    def first_of(run: int) -> int:
        while earlier[run] != run:
            earlier[run] = run = earlier[earlier[run]]
        return run

    for row in range(1, len(mask)):
        above, run = of_row[row - 1], of_row[row]
        while above < of_row[row] and run < of_row[row + 1]:
            if begin[above] < end[run] and begin[run] < end[above]:
                one, other = sorted((first_of(above), first_of(run)))
                earlier[other] = one
            if end[above] < end[run]:
                above += 1
            else:
                run += 1
    _, numbers = np.unique([first_of(run) for run in range(len(rows))], return_inverse=True)
    numbered = np.zeros(mask.shape, np.int32)
    numbered[mask] = np.repeat(numbers + 1, ends - starts)
    return numbered
