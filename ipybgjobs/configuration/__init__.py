"""Configuration: which files count (`sources`), what they may set (`traits`), and what they say together (`loading`).

The files are the authority. They are never taken from the current folder: opening somebody's folder must not run their
configuration.
"""
