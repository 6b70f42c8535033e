"""Connected parts of a mask."""

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]


def connected(
    mask: Mask,
) -> tuple[int, NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Return the parts of a mask, in which pixels touch by edges or corners.

    Grana's algorithm (Grana et al. 2010, doi:10.1109/TIP.2010.2044963) takes a third of the time
    of OpenCV's default.

    Parameters
    ----------
    mask : ndarray of uint8, shape (height, width)
        Pixels other than 0 belong to a part.

    Returns
    -------
    count : int
        Number of parts, and the background, which is number 0.
    labels : ndarray of int32, shape (height, width)
        The number of each pixel's part.
    stats : ndarray of int32, shape (count, 5)
        Left, top, width, height and area of each, as ``cv2.CC_STAT_LEFT`` and so on index them.
    centres : ndarray of float64, shape (count, 2)
        x and y of the centre of each.
    """
    count, labels, stats, centres = cv2.connectedComponentsWithStatsWithAlgorithm(
        mask, connectivity=8, ltype=cv2.CV_32S, ccltype=cv2.CCL_GRANA
    )
    return (
        count,
        labels.astype(np.int32, copy=False),
        stats.astype(np.int32, copy=False),
        centres.astype(np.float64, copy=False),
    )
