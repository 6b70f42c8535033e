"""Makes MNIST the sample in every Python process that has this directory on its path.

A served flow runs in a process of its own, where nothing that a test patched is left.
"""

from mnist_sample import SAMPLE

from pipeline.data import mnist

mnist.MNIST = SAMPLE
