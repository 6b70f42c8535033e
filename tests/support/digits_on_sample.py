"""The command line, as it is, where MNIST is the sample."""

from mnist_sample import SAMPLE

from pipeline import mnist

mnist.MNIST = SAMPLE

if __name__ == "__main__":
    from pipeline.cli import main

    main()
