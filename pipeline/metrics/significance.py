"""Exact tests and confidence bounds, by `scipy.special`.

It is imported where it is used: to read an image takes less time than to import it.
"""


def mcnemar(worse: int, better: int) -> float:
    """Return the p-value of McNemar's exact test, one-sided.

    Of the images on which exactly one of two classifiers is right, each is as likely to favour
    one as the other if they are equally good (Psychometrika 12, 1947). The p-value is the
    probability that at least `worse` of them favour the second by chance:
    ``P(X >= worse)`` for ``X ~ Binomial(worse + better, 1/2)``.

    Parameters
    ----------
    worse : int
        Images on which only the second classifier is right.
    better : int
        Images on which only the first classifier is right.
    """
    if worse == 0:
        return 1.0
    from scipy.special import bdtrc

    return float(bdtrc(worse - 1, worse + better, 0.5))


def proportion_lower_bound(count: int, total: int, *, confidence: float) -> float:
    """Return the lower confidence bound of a proportion, one-sided.

    It is the exact bound of Clopper and Pearson (Biometrika 26, 1934): if the proportion were
    smaller, `count` or more of `total` would have a probability below ``1 - confidence``.

    Parameters
    ----------
    count, total : int
        ``0 <= count <= total``.
    confidence : float
        In (0, 1).
    """
    if count == 0:
        return 0.0
    from scipy.special import betaincinv

    return float(betaincinv(count, total - count + 1, 1 - confidence))


def chi_squared_percentile(probability: float, degrees_of_freedom: int) -> float:
    """Return the value that a chi-squared variable stays below with this probability.

    Parameters
    ----------
    probability : float
        In (0, 1).
    degrees_of_freedom : int
    """
    from scipy.special import chdtri

    return float(chdtri(degrees_of_freedom, 1 - probability))
