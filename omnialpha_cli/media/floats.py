"""The type of pictures in memory."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
