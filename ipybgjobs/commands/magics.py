"""The magics ``%bgjob`` and ``%bgjobs``: thin layers over the client and the command line.

A wrong line raises a one-line UsageError, never an internal traceback. What only some lines need is loaded by these.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, needs_local_scope, no_var_expand
from IPython.display import publish_display_data
from traitlets import TraitError
from traitlets.config import Configurable

from ..api import submitting
from ..client import client
from ..client.client import Client
from ..client.jobs.group import Group
from ..client.jobs.job import Job
from ..configuration import traits
from ..configuration.live import LiveTraits
from ..configuration.settings import CELL
from ..errors import BackgroundJobError
from ..model import surface
from ..model.surface import Surface
from ..panel import saved_notebook
from ..system import interrupt_shield
from ..targets import allowlist, callables, submitting_notebook
from . import assignment, cell_line, completer, digest, job_line, submitted_line, verb_variables
from .assignment import PendingAssignments
from .submitted_line import SubmittedLine

if TYPE_CHECKING:
    from ..client.submit.option_table import SubmitOptions
    from .cell_code import CellCode

_Parsed = TypeVar("_Parsed")
_Magic = TypeVar("_Magic", bound=Callable[..., Any])


def _helped(text: Callable[[], str]) -> Callable[[_Magic], _Magic]:
    """Give a magic the help that ``%magic?`` shows: that of ``--help``, made when it is asked for."""

    def give(magic: _Magic) -> _Magic:
        magic.getdoc = text  # type: ignore[attr-defined] # IPython prefers it to the docstring
        return magic

    return give


def _help_of_verbs() -> str:
    from . import cli

    return cli.parser(Surface.NOTEBOOK).format_help()


@contextlib.contextmanager
def _as_typed() -> Iterator[None]:
    """Refuse in one line, which names options as a line has them."""
    try:
        with surface.flags():
            yield
    except BackgroundJobError as error:
        raise UsageError(str(error)) from None


def _parsed(parse: Callable[[str, dict[str, Any]], _Parsed], line: str, variables: dict[str, Any]) -> _Parsed | None:
    """Return a line as parsed; None if its ``--help`` has been printed."""
    try:
        return parse(line, variables)
    except SystemExit:
        return None


@magics_class
class JobMagics(Magics):
    """``%bgjob`` submits, ``%bgjobs`` shows and controls."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._pending = PendingAssignments(shell)
        self._submitted = SubmittedLine(shell)

    @_helped(lambda: f"{job_line.magic_parser().format_help()}\n{cell_line.parser().format_help()}")
    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    @interrupt_shield.explains_interrupts
    def bgjob(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        """Submit a job: ``%bgjob [options] Class.method key=value …``; the value is the Job.

        ``%%bgjob [options]`` runs the cell's code as a job: --in x,y sends variables with it, --out z brings variables back.

        A value is a Python literal, a bare word, or $name for a variable. Options are those of `ipybgjobs.submit`
        (--queue gpu, --after 12, --unique …); --wait follows the job in this cell; --here runs the call in this kernel instead,
        to debug it; --explain says what would happen and submits nothing.
        """
        if cell is not None:
            return self._cell(line, cell, self._variables())
        variables = {**self._variables(), **(local_ns or {})}
        with _as_typed():
            asked = _parsed(job_line.parse, line, variables)
            if asked is None:
                return None
            target = callables.of_text(asked.target, variables, client.client().settings)
            if asked.explain:
                print(client.client().explain(target, asked.params, init=asked.init, **asked.options))  # noqa: T201 - what it is for
                return None
            if asked.here:
                run = client.client().prepare_here(target, asked.params, init=asked.init)
            else:
                job = submitting.submit(target, asked.params, init=asked.init, **asked.options)
        if asked.here:
            return run()  # its exceptions are the user's own, with their traceback
        if asked.into is not None:
            self._pending.add(asked.into, job)
        if asked.wait:
            submitted_line.note_shown(job)
            job.follow()
        if job_line.is_silent(line):
            self._silence(job)
        elif not asked.wait:
            self._submitted.add(job, line)
        return job

    def _cell(self, line: str, code: str, variables: dict[str, Any]) -> Job | None:
        """Submit the code of a cell, and show the job's output below it."""
        from . import cell_code
        from .live_outputs import LiveDisplay

        desk, target = client.client(), f"{CELL}.run"
        with _as_typed():
            asked = _parsed(cell_line.parse, line, variables)
            if asked is None:
                return None
            if not asked.explain:
                allowlist.find_permission(target, desk.settings())  # first, so that no one fixes a cell that may not run
            found = cell_code.read(code)
            found.check(variables, asked.variables, asked.names)
            params = asked.params(code)
            given: SubmitOptions = {"name": self._title(found), **asked.options}
            if asked.explain:
                print(desk.explain(target, params, **given))  # noqa: T201 - what it is for
                return None
            job = desk.submit(target, params, **given)
        self._pending.add_parts(asked.names, job)
        if not job_line.is_silent(line):
            _show_card(job)
            LiveDisplay(job, self.shell).start()
        self._silence(job)
        return job

    def _title(self, found: "CellCode") -> str:
        assert self.shell is not None
        assert self.shell.history_manager is not None
        number = len(self.shell.history_manager.input_hist_raw) - 1  # the shell's own count is already that of the next cell
        return found.title(number, submitting_notebook.path())

    def _silence(self, job: Job) -> None:
        """Keep a job from showing its card at the end of this cell."""
        assert self.shell is not None
        submitted_line.note_shown(job)
        job.silence(self.shell.execution_count)

    def _variables(self) -> dict[str, Any]:
        """Return the variables that the user has defined, without those of IPython."""
        shell = self.shell
        assert shell is not None
        hidden = shell.user_ns_hidden
        return {name: value for name, value in shell.user_ns.items() if name not in hidden or hidden[name] is not value}

    @_helped(_help_of_verbs)
    @no_var_expand
    @line_magic
    def bgjobs(self, line: str) -> None:
        """Show all jobs: ``%bgjobs``; or run a verb of the command line: ``%bgjobs log 12``."""
        from ..panel import overview
        from ..panel.display import show as show_live
        from . import cli

        try:
            typed = job_line.words(line)
            if not typed:
                show_live(overview.bundle)
                return
            variables = self._variables()
            job_line.refuse_variables(typed, variables)
            cli.run(verb_variables.filled(typed, variables), prog=Surface.NOTEBOOK)
        except (BackgroundJobError, TimeoutError) as error:
            raise UsageError(str(error)) from None
        except SystemExit:
            pass  # --help and --version have printed


def _show_card(job: Job) -> None:
    """Show a job's card, live if there is a frontend, unless the line that made it ended in a semicolon."""
    from ..panel.display import show as show_live

    submitted_line.note_shown(job)
    if not job.is_silenced():
        show_live(lambda: {"text/html": job.to_html(), "text/plain": repr(job)}, job.id)


def _show_group(group: Group) -> None:
    """Show a group's card, live if there is a frontend and the group is not too large."""
    from ..panel import group_card
    from ..panel.display import show as show_live

    with contextlib.suppress(BackgroundJobError):  # its jobs were removed: it says so
        if len(group) <= group_card.MOST:
            show_live(lambda: {"text/html": group.to_html(), "text/plain": repr(group)}, group=group.id)
            return
    publish_display_data({"text/html": group.to_html(), "text/plain": repr(group)})


def _instance(cls: type[Configurable], shell: InteractiveShell) -> Any:
    """Return the traits as the profile sets them; if it sets one wrongly, the next submit says so."""
    try:
        return cls(parent=shell)
    except TraitError:
        return cls()


def _without_traits(shell: InteractiveShell) -> list[Any]:
    return [each for each in shell.configurables if not isinstance(each, traits.CLASSES)]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Provide the magics, the traits for ``%config``, and completion; open the store if there is one."""
    instances = [_instance(cls, shell) for cls in traits.CLASSES]
    surface.use(Surface.NOTEBOOK)
    live = LiveTraits(*instances)
    profile = getattr(shell.profile_dir, "location", None)
    client.use(Client(profile, live, tell=print))  # not on standard error, which notebooks show in red
    shell.register_magics(JobMagics)
    shell.configurables[:] = [*_without_traits(shell), *instances]  # an interrupt may have left some there
    completer.install(shell)
    digest.watch(shell)
    if shell.display_formatter is not None:
        shell.display_formatter.ipython_display_formatter.for_type(Job, _show_card)
        shell.display_formatter.ipython_display_formatter.for_type(Group, _show_group)
    try:
        said = digest.digest()  # opens the store: waiting jobs get a supervisor
    except BackgroundJobError as error:
        said = str(error)  # the magics are loaded, and will report the problem again
    if said:
        print(said)  # noqa: T201 - one line
    if getattr(shell, "kernel", None) is not None and saved_notebook.has_static_forms():
        from ..panel import revival

        revival.show()


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Remove what `load_ipython_extension` provided."""
    surface.use(Surface.SCRIPT)
    assignment.remove(shell)
    submitted_line.remove(shell)
    for magics in shell.magics_manager.magics.values():
        for name in ("bgjob", "bgjobs"):
            magics.pop(name, None)
    shell.configurables[:] = _without_traits(shell)
    completer.remove(shell)
    digest.unwatch(shell)
    if shell.display_formatter is not None:
        for kind in (Job, Group):
            shell.display_formatter.ipython_display_formatter.pop(kind, None)
    client.use(None)
