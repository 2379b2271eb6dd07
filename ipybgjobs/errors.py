"""All errors, as one tree; each message says what happened, which rule applies, and what to do.

BackgroundJobError
├── ConfigurationError      a configuration file is broken, or sets something it may not
├── JobNotAllowed           the target is not on the allowlist
├── InvalidTarget           the target can't be imported or called, or a job can't find it
├── InvalidParameters       parameters do not fit the target's signature
├── InvalidRequest          the verb does not fit the job's state
├── DuplicateJob            another live job holds the unique key
├── Deadlock                a job waits for one that can't start or finish before it does
├── UnknownJob              no job has that id, name or uid
├── WaitTimeout             jobs did not finish within the timeout of a wait; a TimeoutError too
├── StoreError              the state folder or its database can't be used
│   └── StoreDamaged        the database is damaged, or no longer the one that was opened
├── JobFailed               the job failed and left no exception to raise
│   ├── JobCancelled        the job was cancelled
│   ├── JobLost             its process vanished
│   ├── JobTimeout          an attempt took longer than its timeout
│   ├── CellFailed          a cell of its notebook raised
│   └── KernelDied          the kernel of its notebook died
├── ParametersNotLoaded     the parameters of a job can't be loaded in this process
├── ResultNotKept           the job succeeded, but its return value could not be saved
├── Retry                   raised inside a job: retry it
└── Fail                    raised inside a job: do not retry it

This module imports nothing, because every ipybgjobs process loads it.
"""


class BackgroundJobError(Exception):
    """The root of all errors of this package.

    Examples
    --------
    >>> try:
    ...     ipybgjobs.submit("training.square", {"x": "three"})
    ... except ipybgjobs.BackgroundJobError as error:
    ...     print(type(error).__name__)
    InvalidParameters
    """

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows: the user's own lines and the sentence, without the frames of this package.

        The traceback itself stays whole, for ``%debug``.
        """
        from . import tracebacks

        return tracebacks.rendered(self)


class ConfigurationError(BackgroundJobError):
    """A configuration file is broken, or sets something it may not.

    Examples
    --------
    >>> try:
    ...     job = ipybgjobs.submit("training.square", {"x": 2})
    ... except ipybgjobs.ConfigurationError as error:
    ...     print(f"No job will start until it is fixed: {error}")
    """


class JobNotAllowed(BackgroundJobError):  # noqa: N818 - the name is public, see the design
    """The target is not on the allowlist.

    Examples
    --------
    >>> try:
    ...     ipybgjobs.submit("shutil.rmtree", {"path": "data"})
    ... except ipybgjobs.JobNotAllowed:
    ...     print("not on the allowlist")
    not on the allowlist
    """


class InvalidTarget(BackgroundJobError, ImportError):  # noqa: N818 - a public name, see the design
    """The target can't be imported or called, or has no name by which a job could find it.

    Examples
    --------
    >>> try:
    ...     ipybgjobs.submit("missing.fit")
    ... except ipybgjobs.InvalidTarget:
    ...     print("allowed, but not installed")
    allowed, but not installed
    """


class InvalidParameters(BackgroundJobError, ValueError):  # noqa: N818 - a public name, see the design
    """Parameters do not fit the target's signature.

    Examples
    --------
    >>> try:
    ...     ipybgjobs.submit("training.square", {"y": 3})
    ... except ipybgjobs.InvalidParameters:
    ...     print("square has no parameter y")
    square has no parameter y
    """


class InvalidRequest(BackgroundJobError, ValueError):  # noqa: N818 - a public name, see the design
    """The verb does not fit the job's state.

    Examples
    --------
    >>> job = ipybgjobs.submit("training.square", {"x": 2}).wait()
    >>> try:
    ...     job.cancel()
    ... except ipybgjobs.InvalidRequest:
    ...     print("already finished")
    already finished
    """


class DuplicateJob(BackgroundJobError, ValueError):  # noqa: N818 - a public name, see the design
    """Another job that has not finished holds the unique key.

    Examples
    --------
    >>> first = ipybgjobs.submit("training.square", {"x": 2}, unique="report", delay="1h")
    >>> try:
    ...     ipybgjobs.submit("training.square", {"x": 2}, unique="report")
    ... except ipybgjobs.DuplicateJob:
    ...     print("already submitted")
    already submitted
    """


class UnknownJob(BackgroundJobError, LookupError):  # noqa: N818 - a public name, see the design
    """No job has that id, name or uid.

    Examples
    --------
    >>> try:
    ...     ipybgjobs.job("no-such-job")
    ... except ipybgjobs.UnknownJob:
    ...     print("not found")
    not found
    """


class WaitTimeout(BackgroundJobError, TimeoutError):  # noqa: N818 - a public name, as the others
    """Jobs did not finish within the timeout of a wait; they keep running.

    Examples
    --------
    >>> job = ipybgjobs.submit("training.square", {"x": 2}, delay="1h")
    >>> try:
    ...     job.wait("1s")
    ... except TimeoutError as error:
    ...     print(type(error).__name__)
    WaitTimeout
    """


class Deadlock(BackgroundJobError):  # noqa: N818 - a public name, see the design
    """A job waits for another one, and neither can ever continue: the other can't start or finish before this one does.

    Examples
    --------
    >>> try:
    ...     ipybgjobs.submit("training.square_twice", {"x": 2}).result()  # in a queue with one slot
    ... except ipybgjobs.Deadlock:
    ...     print("it waits for a job that needs its slot")
    it waits for a job that needs its slot
    """


class StoreError(BackgroundJobError):
    """The state folder or its database can't be used.

    Examples
    --------
    >>> job = ipybgjobs.submit("training.square", {"x": 2}).wait()
    >>> try:
    ...     job.save_notebook("missing/folder/job.ipynb")
    ... except ipybgjobs.StoreError:
    ...     print("not written")
    not written
    """


class StoreDamaged(StoreError):  # noqa: N818 - as the others are named
    """The database is damaged, or no longer the one that was opened."""


class JobFailed(BackgroundJobError):  # noqa: N818 - a public name, see the design
    """The job failed and left no exception to raise.

    Examples
    --------
    >>> try:
    ...     ipybgjobs.submit("training.crash").result()
    ... except ipybgjobs.JobFailed as error:
    ...     print(type(error).__name__)
    JobLost
    """


class JobCancelled(JobFailed):
    """The job was cancelled.

    Attributes
    ----------
    value : object
        What its method returned after the interrupt; None if it did not return.

    Examples
    --------
    >>> job = ipybgjobs.submit("training.square", {"x": 2}, delay="1h")
    >>> try:
    ...     job.cancel().result()
    ... except ipybgjobs.JobCancelled:
    ...     print("cancelled")
    cancelled
    """

    value: object = None


class JobLost(JobFailed):
    """The job's process vanished without an outcome.

    Examples
    --------
    >>> try:
    ...     ipybgjobs.submit("training.crash").result()
    ... except ipybgjobs.JobLost:
    ...     print("its process was killed")
    its process was killed
    """


class JobTimeout(JobFailed):
    """An attempt took longer than its timeout.

    Attributes
    ----------
    value : object
        What its method returned after the interrupt; None if it did not return.

    Examples
    --------
    >>> try:
    ...     ipybgjobs.submit("training.sleep", timeout="1s").result()
    ... except ipybgjobs.JobTimeout:
    ...     print("took too long")
    took too long
    """

    value: object = None


class CellFailed(JobFailed):
    """A cell of a notebook that ran as a job raised; the cause shows the cell's traceback.

    Parameters
    ----------
    where : str
        Which cell, by number and heading.
    ename, evalue : str
        Name and message of the exception in the kernel.

    Examples
    --------
    >>> try:
    ...     ipybgjobs.submit("ipybgjobs.Notebook.run", {"path": "broken.ipynb"}).result()
    ... except ipybgjobs.CellFailed as error:
    ...     print(error.ename)
    ZeroDivisionError
    """

    def __init__(self, where: str, ename: str, evalue: str) -> None:
        super().__init__(where, ename, evalue)
        self.where = where
        self.ename = ename
        self.evalue = evalue

    def __str__(self) -> str:
        said = f"{self.ename}: {self.evalue}" if self.evalue else self.ename
        return f"{self.where}: {said}"


class KernelDied(JobFailed):
    """The kernel of a notebook that ran as a job died, or did not start.

    Examples
    --------
    >>> try:
    ...     ipybgjobs.submit("ipybgjobs.Notebook.run", {"path": "dying.ipynb"}).result()
    ... except ipybgjobs.KernelDied:
    ...     print("the kernel died")
    the kernel died
    """


class ParametersNotLoaded(BackgroundJobError):  # noqa: N818 - a public name, see the design
    """The parameters of a job can't be loaded in this process: a module or class that they need is missing.

    Examples
    --------
    >>> job = ipybgjobs.submit("training.square", {"x": 2})
    >>> try:
    ...     params = job.params
    ... except ipybgjobs.ParametersNotLoaded as error:
    ...     print(f"Import its modules first: {error}")
    """


class ResultNotKept(BackgroundJobError):  # noqa: N818 - a public name, see the design
    """The job succeeded, but its return value could not be saved.

    Parameters
    ----------
    message : str
        What happened.
    representation : str
        `repr` of the value, cut to a readable length.

    Examples
    --------
    >>> try:
    ...     ipybgjobs.submit("training.connect").result()
    ... except ipybgjobs.ResultNotKept as error:
    ...     print(error.representation)
    <connection to localhost>
    """

    def __init__(self, message: str, representation: str = "") -> None:
        super().__init__(message, representation)
        self.representation = representation

    def __str__(self) -> str:
        return str(self.args[0])


class Retry(BackgroundJobError):  # noqa: N818 - a verb, raised inside a job
    """Raised inside a job: this attempt failed; retry the job if attempts are left.

    Parameters
    ----------
    message : str
        Why, shown as the attempt's error.
    after : float or str, optional
        Delay before the next attempt, in seconds or as text such as ``"5m"``; by default the policy's.

    Examples
    --------
    >>> def download(url):
    ...     raise ipybgjobs.Retry(f"{url} can't be reached", after="10m")
    """

    def __init__(self, message: str = "the job asked to be retried", *, after: float | str | None = None) -> None:
        super().__init__(message)
        self.after = after


class Fail(BackgroundJobError):  # noqa: N818 - a verb, raised inside a job
    """Raised inside a job: the job has failed, and another attempt would not help.

    Examples
    --------
    >>> def download(url):
    ...     if not url.startswith("https:"):
    ...         raise ipybgjobs.Fail(f"{url} is not encrypted")
    """


class RemoteTraceback(Exception):  # noqa: N818 - not an error, but a carrier for text
    """The traceback of an exception that was raised in a job's process; the cause of what `result()` raises."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return "\n" + self.text
