"""Views: what a network sees of an image; each member of a committee may see another.

Networks that see an image in different ways make different mistakes, and their mean makes fewer
(Meier et al. 2011, "Better digit recognition with a committee of simple neural nets"; Cireşan et
al. 2012, arXiv:1202.2745).
"""

import numpy as np

from nn.activations import Array
from nn.edges import edges
from nn.slant import deslanted

PLAIN, DESLANTED, EDGES, DESLANTED_EDGES = "plain", "deslanted", "edges", "deslanted_edges"

VIEWS = (PLAIN, DESLANTED, EDGES, DESLANTED_EDGES)
"""The views: an image as it is, without its slant, and the edges of each."""

OF_EDGES = (EDGES, DESLANTED_EDGES)
"""Those for which 4 must divide the side of the images."""

UPRIGHT = (DESLANTED, DESLANTED_EDGES)
"""Those without slant."""

# Images that are viewed together. Temporary arrays of more than 128 kB would be new pages of the
# system each time, which takes longer than what is done with them.
_BLOCK = 32


def view(name: str, x: Array) -> Array:
    """Return what a network sees of images, as many numbers as pixels.

    Parameters
    ----------
    name : str
        One of `VIEWS`.
    x : ndarray of float32, shape (n, side * side)
        In [0, 1]; not changed.
    """
    if name == PLAIN:
        return x
    seen = np.empty_like(x)
    for start in range(0, len(x), _BLOCK):
        rows = slice(start, start + _BLOCK)
        images = deslanted(x[rows]) if name in UPRIGHT else x[rows]
        seen[rows] = edges(images) if name in OF_EDGES else images
    return seen
