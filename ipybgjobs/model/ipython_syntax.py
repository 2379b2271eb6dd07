"""IPython's syntax as Python: magics and shell commands become calls. It never runs any of them."""


def as_python(text: str) -> str:
    """Return the code of a cell as Python.

    Parameters
    ----------
    text : str
        The code, as it stands in a cell.

    Raises
    ------
    SyntaxError
        If IPython can't read it.
    RuntimeError
        If there are more magics than IPython handles.
    """
    from IPython.core.inputtransformer2 import TransformerManager

    if "\0" in text:  # CPython 3.13's tokenizer raises SystemError for it in a process that is being monitored
        raise SyntaxError("source code cannot contain null bytes")
    python: str = TransformerManager().transform_cell(text)
    return python
