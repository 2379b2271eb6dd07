"""Which tests one process runs: those of a file, so that they share what they start; and all that drive a browser."""

from xdist.scheduler import LoadScopeScheduling


class ByFile(LoadScopeScheduling):
    """Files that take long come first, so that none is left at the end; `xdist_group` has no effect since pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "browser" if "/browser/" in path else path
