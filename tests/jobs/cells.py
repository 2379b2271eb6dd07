"""Runs the cells of a file in the shell of a job."""

import json


def run(path):
    import IPython  # noqa: F401 - with it the job gets its shell
    from IPython.display import display  # noqa: F401 - as a job would

    import ipybgjobs
    from ipybgjobs.worker import descriptions, displays, run, shell

    folder = ipybgjobs.current_job().folder
    for number, cell in enumerate(json.load(open(path))):
        displays.Outputs(folder).begin()
        try:
            shell.run_cell(cell, f"<cell {number}>", {})
        except BaseException as error:
            run._show_exception(folder, descriptions.error_text(error))
        displays.Outputs(folder).begin()
        displays.Outputs(folder).display({"text/x-end": str(number)}, {}, None, update=False)
