"""The settings that apply now: those of the files that apply here, as narrowed by the running notebook.

It reads a file again only if it has changed, and never writes one.
"""

import os
from typing import Any

from ..configuration import loading, sources
from ..configuration.live import LiveTraits
from ..configuration.settings import Settings
from ..targets.context import working_directory


class CurrentSettings:
    """The settings of one process, for one profile.

    Parameters
    ----------
    profile : str, optional
        Folder of the IPython profile whose configuration files apply; by default the default profile's.
    live : LiveTraits, optional
        Settings of the running notebook.
    """

    def __init__(self, profile: str | None, live: LiveTraits | None) -> None:
        self._profile = profile
        self._live = live
        self._found: tuple[Any, list[sources.ConfigurationFile]] | None = None
        self._read: tuple[list[sources.ConfigurationFile], sources.FileStamps, Settings] | None = None

    def files(self) -> list[sources.ConfigurationFile]:
        """Return which files apply; searched again when a variable that decides it has changed."""
        key = (working_directory(), *map(os.environ.get, sources.DECIDING))
        if self._found is None or self._found[0] != key:
            self._found = (key, sources.find_files(self._profile))
        return self._found[1]

    def read(self) -> Settings:
        """Return the settings.

        Raises
        ------
        ConfigurationError
            If a file is broken.
        """
        found = self.files()
        signature = sources.stamp_files(source.path for source in found)
        if self._read is None or self._read[:2] != (found, signature):
            self._read = (found, signature, loading.load(found))
        settings = self._read[2]
        return settings if self._live is None else self._live.apply(settings)
