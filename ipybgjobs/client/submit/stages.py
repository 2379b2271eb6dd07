"""What is known about a submit after each step, from the request to what can be stored; as frozen values.

They check nothing and read nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from ...model.call import Call
from ...store.submissions import NewGroup, Submission
from ...targets.allowlist import Permission
from ...targets.inspection_steps import InspectionResult
from .options import Options


class SubmitRequest(Struct, frozen=True):
    """A requested call, or several of one target, not yet checked.

    Parameters
    ----------
    target : str
        As typed.
    calls : sequence of mapping
        The parameters of each call.
    init : mapping or None
        Parameters of the constructor.
    options : mapping
        Options of `submit`.
    common : mapping or None
        Parameters that several calls share.
    is_group : bool
        Whether the calls become a group, even a single one.
    code : mapping or None
        The target's code as an earlier job received it by value; None: the code defined here.
    instance : object
        Whose method is called; None: the job makes its own, or needs none.
    tell : callable
        Shows the user a line while something takes long.
    """

    target: str
    calls: Sequence[Mapping[str, Any] | None]
    init: Mapping[str, Any] | None
    options: Mapping[str, Any]
    common: Mapping[str, Any] | None = None
    is_group: bool = False
    code: Mapping[str, bytes] | None = None
    instance: Any = None
    tell: Callable[[str], None] = lambda _: None


class GivenParameters(Struct, frozen=True):
    """The given parameters, known to be mappings of names.

    Parameters
    ----------
    init : dict
        Those of the constructor.
    common : dict
        Those of the method, for every call.
    own : tuple of dict
        Those of the method, for each call.
    secrets : tuple of str
        Names among all of them whose values are never shown.
    """

    init: dict[str, Any]
    common: dict[str, Any]
    own: tuple[dict[str, Any], ...]
    secrets: tuple[str, ...]

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Return the parameters of each call, the common ones first."""
        return [{**self.common, **each} for each in self.own]


class PreparedJob(Struct, frozen=True):
    """A call that can be stored as a job.

    Parameters
    ----------
    submission : Submission
        The job, without the ids of the jobs that it depends on; in a group, without the parameters that its jobs share.
    pickled : bytes or None
        Its parameters that are not plain.
    """

    submission: Submission
    pickled: bytes | None


class PreparedSubmit(Struct, frozen=True):
    """What can be stored: a job, or a group with its jobs.

    Parameters
    ----------
    jobs : tuple of PreparedJob
        In the order of the calls.
    options : Options
        The checked options.
    path_prefix : tuple of str
        Folders that go first on their import path.
    group : NewGroup or None
        The group, with the parameters that its jobs share.
    group_pickled : bytes or None
        The shared parameters that are not plain.
    """

    jobs: tuple[PreparedJob, ...]
    options: Options
    path_prefix: tuple[str, ...] = ()
    group: NewGroup | None = None
    group_pickled: bytes | None = None

    @property
    def job(self) -> PreparedJob:
        """Return the only job."""
        (job,) = self.jobs
        return job

    @property
    def pickled(self) -> list[tuple[str, bytes | None]]:
        """Return the parameters that are not plain, by the uid of the group or job whose folder they go to."""
        shared = [] if self.group is None else [(self.group.uid, self.group_pickled)]
        return [*shared, *((job.submission.uid, job.pickled) for job in self.jobs)]

    @property
    def copied(self) -> list[tuple[Call, bytes | None]]:
        """Return the calls whose parameters are copied, each with the parameters that are not plain."""
        shared = [] if self.group is None else [(self.group.common, self.group_pickled)]
        return [*shared, *((job.submission.call, job.pickled) for job in self.jobs)]


class PreparationTrace(Struct):
    """What the preparation has found out so far; each attribute is None until it is known."""

    permission: Permission | None = None
    options: Options | None = None
    inspected: InspectionResult | None = None
    call: Call | None = None  #: the first, as it would be stored
