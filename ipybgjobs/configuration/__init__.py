"""Configuration: which files apply, what they may set, and what they say together.

The files are the authority. They are never taken from the current folder: opening someone else's folder must not run their
configuration.

Modules
-------
live
    What a running notebook sets with ``%config``: it narrows, never widens.
loading
    What the files say together, as settings.
sample
    The commented sample, made from the traits.
settings
    What the files say, as frozen values.
sources
    Which files apply, and whether one has changed.
traits
    The traits of a configuration file.
"""
