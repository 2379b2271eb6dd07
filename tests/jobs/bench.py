"""A class to be run in the kernel itself."""


class Bench:
    def __init__(self, factor: int = 1):
        self.factor = factor

    def times(self, number: int, rows=None, fail: bool = False):
        local = number * self.factor
        if fail:
            raise ZeroDivisionError(f"here it is {local}")
        if rows is not None:
            rows.append("changed by the job")
        return [local, rows, type(number).__name__]

    async def later(self, number: int):
        return number + 1


def gives_up():
    import ipybgjobs

    raise ipybgjobs.Fail("no use")
