"""From a requested call to jobs that can be stored: allowed, bound, checked, encoded.

It never stores anything: `client.writer` does.

Modules
-------
encoding
    From bound parameters to JSON and pickles.
explanation
    What a submit would do, or why it would be refused.
in_process
    A call in this process, for debugging.
notebook_call
    A notebook's file as a target.
option_table
    The options of a submit: names, types, help, columns. A new option begins here.
options
    The options of a submit, checked.
payloads
    Pickled parameters in their jobs' folders.
preparation
    The steps from a request to what can be stored.
stages
    What is known about a submit after each step.
times
    Durations and times that users pass, checked.
unknown_options
    A keyword that is not an option, refused with what to write.
"""
