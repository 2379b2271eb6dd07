"""Names of this package in pickles of older versions, and where they are found now.

A state folder keeps parameters, results and exceptions as long as it keeps their jobs, so whatever a pickle may name gets a row
here when it moves. It serves state folders only: `pickle.load` knows nothing of it. Workers load it, so it imports only `pickle`.
"""

import pickle
from typing import Any

_PACKAGE = "ipybgjobs."

#: Module and name as an older version wrote them: module and name now.
FORMER: dict[tuple[str, str], tuple[str, str]] = {
    ("ipybgjobs.advance", "Progress"): ("ipybgjobs.state.progress", "Progress"),
    ("ipybgjobs.byvalue", "_make_code"): ("ipybgjobs.model.by_value", "_make_code"),
    ("ipybgjobs.cell", "Cell"): ("ipybgjobs.notebooks.cell", "Cell"),
    ("ipybgjobs.client", "client"): ("ipybgjobs.client.client", "client"),
    ("ipybgjobs.enclosed", "Enclosed"): ("ipybgjobs.model.path_with_content", "PathWithContent"),
    ("ipybgjobs.errors", "Standstill"): ("ipybgjobs.errors", "Deadlock"),
    ("ipybgjobs.handle", "Job"): ("ipybgjobs.client.jobs.job", "Job"),
    ("ipybgjobs.inside", "Bar"): ("ipybgjobs.state.current_job", "Bar"),
    ("ipybgjobs.inside", "CurrentJob"): ("ipybgjobs.state.current_job", "CurrentJob"),
    ("ipybgjobs.inside", "current_job"): ("ipybgjobs.state.current_job", "current_job"),
    ("ipybgjobs.inside", "progress"): ("ipybgjobs.state.current_job", "progress"),
    ("ipybgjobs.inside", "report"): ("ipybgjobs.state.current_job", "report"),
    ("ipybgjobs.jobgroup", "Group"): ("ipybgjobs.client.jobs.group", "Group"),
    ("ipybgjobs.joblist", "JobList"): ("ipybgjobs.client.jobs.job_list", "JobList"),
    ("ipybgjobs.models", "Attempt"): ("ipybgjobs.model.records", "Attempt"),
    ("ipybgjobs.models", "JobState"): ("ipybgjobs.model.records", "JobState"),
    ("ipybgjobs.models", "Outcome"): ("ipybgjobs.model.records", "Outcome"),
    ("ipybgjobs.models", "Owner"): ("ipybgjobs.model.records", "Owner"),
    ("ipybgjobs.reopening", "group"): ("ipybgjobs.client.jobs.reopening", "group"),
    ("ipybgjobs.reopening", "job"): ("ipybgjobs.client.jobs.reopening", "job"),
    ("ipybgjobs.source", "Source"): ("ipybgjobs.model.source", "SourceFile"),
}


class Unpickler(pickle.Unpickler):
    """Loads a pickle of this version or of an older one."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle names, wherever it is today."""
        if module.startswith(_PACKAGE):
            module, name = FORMER.get((module, name), (module, name))
        return super().find_class(module, name)
