"""A notebook cell as a job: the class whose method runs the code sent by ``%%bgjob``, in its own namespace.

It runs in a worker, with IPython, which is imported only then; it never decides what may run.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InvalidRequest
from ..state import current_job


class Cell:
    """The code of a cell; submitted by ``%%bgjob``, allowed by ``BackgroundJobs.allow_notebook_code``.

    Examples
    --------
    >>> ipybgjobs.submit("ipybgjobs.Cell.run", {"code": "total = 1 + 2", "names": ["total"]}).result()
    {'total': 3}
    """

    @staticmethod
    def run(code: str, variables: Mapping[str, Any] | None = None, names: Sequence[str] = ()) -> Any:
        """Run the code as a cell: magics, ``!``, ``await``; the last expression is displayed.

        Parameters
        ----------
        code : str
            The cell.
        variables : mapping, optional
            Variables that exist when it begins.
        names : sequence of str
            Variables to return when it has finished.

        Returns
        -------
        dict
            The variables in `names`.

        Raises
        ------
        InvalidRequest
            Outside of a job.
        NameError
            If the cell did not set one of `names`.
        BaseException
            Whatever the cell raises; its traceback begins in the cell.
        """
        job = current_job.current_job()
        if job is None:
            raise InvalidRequest("Cell.run works only inside a job: to run the code here, put it in a cell without %%bgjob.")
        import IPython  # noqa: F401 - first, because it creates the job's shell

        from ..worker import shell

        namespace = shell.run_cell(code, f"<cell of job {job.id}>", dict(variables or {}))
        missing = [name for name in names if name not in namespace]
        if missing:
            raise NameError(f"--out asks for {', '.join(missing)}, which the cell did not set.")
        return current_job.HiddenResult({name: namespace[name] for name in names})
