"""Whether this machine makes namespaces, as a container has them."""

import shutil
import subprocess

import pytest

ISOLATED = ["unshare", "--uts", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]


def _can_isolate() -> bool:
    return (
        shutil.which("unshare") is not None
        and subprocess.run([*ISOLATED, "true"], check=False, capture_output=True).returncode == 0
    )


needs_namespaces = pytest.mark.skipif(not _can_isolate(), reason="no namespaces can be made here: it takes root, or the like")
