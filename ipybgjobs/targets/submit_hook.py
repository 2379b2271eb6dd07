"""The step in which a class's own ``on_submit`` checks and prepares the parameters of a submit.

It runs the user's code in the process that has the class: the submitting one or, if the module has been edited since it was
imported there, a separate process. It is called once for each call, after the parameters of all calls have been bound.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec.structs import replace

from ..errors import BackgroundJobError, InvalidParameters
from ..model import redaction
from . import bound_call, resolve
from .bound_call import BoundCall
from .target_signature import TargetSignature

#: Whether the class has no such method, it was called, or it was skipped because nothing will be submitted.
HookUse = Literal["none", "called", "not called"]

#: The package whose classes are this package's own.
_OWN = __package__.partition(".")[0]


def use(signature: TargetSignature, *, preview: bool) -> HookUse:
    """Decide whether the hook is called.

    Parameters
    ----------
    signature : TargetSignature
        Of the target.
    preview : bool
        Whether nothing will be submitted: then only the hooks of this package's own classes are called.
    """
    if signature.submit_hook is None:
        return "none"
    return "called" if not preview or signature.submit_hook.partition(".")[0] == _OWN else "not called"


def call(
    owner: Any,
    signature: TargetSignature,
    calls: Sequence[BoundCall],
    given: Sequence[Mapping[str, Any]],
    secrets: tuple[str, ...],
) -> tuple[BoundCall, ...]:
    """Let a class prepare the parameters of calls.

    Parameters
    ----------
    owner : type
        The class.
    signature : TargetSignature
        Of the target.
    calls : sequence of BoundCall
        Calls whose parameters fit.
    given : sequence of mapping
        The given parameters of each.
    secrets : tuple of str
        Names whose values appear in no message.

    Raises
    ------
    BackgroundJobError
        If it refuses them; any other exception becomes an `InvalidParameters`.
    """
    prepare = resolve.on_submit(owner)
    if prepare is None:
        return tuple(calls)

    def prepared(each: tuple[BoundCall, Mapping[str, Any]]) -> BoundCall:
        bound, as_given = each
        with bound_call.hiding([bound.init, bound.params, as_given], secrets):
            return replace(bound, params=_run_on_submit(prepare, signature, bound.params))

    return bound_call.for_each(prepared, list(zip(calls, given, strict=True)))


def _run_on_submit(
    prepare: Callable[[str, dict[str, Any]], Mapping[str, Any]], signature: TargetSignature, params: dict[str, Any]
) -> dict[str, Any]:
    try:
        return dict(prepare(signature.method, params))
    except BackgroundJobError:
        raise
    except (Exception, SystemExit) as error:
        said = f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else str(error)
        raise InvalidParameters(f"{signature.name}.{signature.method}() refuses: {redaction.one_line(said)}") from error
