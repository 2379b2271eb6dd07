"""A module of the user's in which our classes have other names."""

import functools

from ipybgjobs import Cell, Notebook

Again = Notebook


class Mine(Notebook):
    pass


class Other:
    Inner = Notebook
    run = Notebook.run


class MyCell(Cell):
    pass


run_cell = Cell.run
bound = Notebook().run
part = functools.partial(Cell.run)


class Careless(Notebook):
    async def run(self, path: str, text: str = ""):
        return text

    @classmethod
    def on_submit(cls, method, params):
        return params
