"""What a job calls: whether it may run, where it is, what parameters it takes, which code it is, and in which context it runs.

In the process that submits, it imports no user's module, and it never writes to the store.

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
definition_text
    What the names of modules stand for, read from their texts.
demands
    What a target requires beyond its entry in the allowlist.
import_path
    The ``sys.path`` that a job gets.
inspection
    Inspecting an allowed target by several means: whether it exists, and whether the given parameters fit.
inspection_cache
    What was read or found out about a target, kept while its files are unchanged.
inspection_process
    The separate process that inspects a target: its request and its answer.
inspection_steps
    The request to inspect calls of a target, its result, and the steps in between.
loaded_modules
    Whether the modules that this process has imported are unchanged on disk.
lookup
    Whether a target exists, and what there is in its place.
module_text
    Modules along an import path, found by the file system and read without being imported.
origin
    Interpreter, package versions and git commit of a job's code.
parts_of_call
    Which of the given parameters are the constructor's, and which the method's.
plain_annotations
    The parameters of a function, read from its text.
portable
    What of a signature means the same in any process.
resolve
    From a dotted path to the class, module or function.
scope_text
    What the text of a module or class binds.
simple_values
    Simple values converted by simple annotations without pydantic.
source
    The file that a target comes from.
source_text
    A target's signature, read from its source.
submit_hook
    The step in which a class's ``on_submit`` prepares parameters.
submitting_notebook
    The notebook that this process belongs to.
target_rules
    What the package's own classes require of a call beyond the allowlist.
target_signature
    The signature of a target, as a frozen value.
"""
