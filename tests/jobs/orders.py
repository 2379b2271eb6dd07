"""Functions whose parameters are positional."""


def order(a, b=2, c=3, /, d=4, **rest):
    return [a, b, c, d, rest]
