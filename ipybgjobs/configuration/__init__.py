"""Configuration: which files are read (`sources`), what they may set (`traits`), and the settings they result in (`loading`).

The files are the authority. They are never taken from the current folder: opening another person's folder must not run its
configuration.
"""
