"""The version of the package: the build reads it here, and so does every module that names it."""

__version__ = "0.1.0"
