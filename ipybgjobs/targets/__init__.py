"""What a job calls: whether it may run, where it is, what parameters it takes, which code it is, and in which context it runs.

It never imports a user's module before the allowlist allows it, and never writes to the store.

Modules
-------
allowlist
    Whether a name may run, and which entry allows it.
binding
    Parameters checked against a signature and converted.
bound_call
    Calls with checked and converted parameters.
bytecode
    Loading modules from their current sources, and hashing what ran.
callables
    From a callable, or a name in the notebook, to the text of a target.
context
    Interpreter, working directory, path, limits and environment of the submitter.
demands
    What a target requires beyond its entry in the allowlist.
import_path
    The ``sys.path`` that a job gets.
inspection
    Inspecting an allowed target by several means: whether it exists, and whether the given parameters fit.
inspection_cache
    What a fresh process found out about a target, kept while its files are unchanged.
inspection_process
    The separate process that inspects a target: its request and its answer.
inspection_steps
    The request to inspect calls of a target, its result, and the steps in between.
loaded_modules
    Whether the modules that this process has imported are unchanged on disk.
origin
    Interpreter, package versions and git commit of a job's code.
resolve
    From a dotted path to the class, module or function.
source
    The file that a target comes from.
submit_hook
    The step in which a class's ``on_submit`` prepares parameters.
target_rules
    What the package's own classes require of a call beyond the allowlist.
target_signature
    The signature of a target, as a frozen value.
"""
