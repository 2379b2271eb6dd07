"""Jobs that show more than they may."""

import os


def replaces(count: int, size: int):
    from IPython.display import HTML, clear_output, display

    for number in range(count):
        clear_output(wait=True)
        display(HTML(f"{number} " + "x" * size))


def updates(count: int, size: int):
    from IPython.display import display

    handle = display("first", display_id="bar")
    for number in range(count):
        handle.update({"text/plain": f"{number} " + "x" * size}, raw=True)


def adds(count: int, size: int):
    from IPython.display import display

    print("the beginning")
    for number in range(count):
        display({"text/plain": f"display {number} " + "x" * size}, raw=True)
        if number == count // 2:
            print("in the middle")
    print("the end")
    return {1, 2}


def large(size: int):
    from IPython.display import display

    print("before")
    display({"text/plain": "x" * size}, raw=True)
    print("after")


def forks(count: int, size: int):
    from IPython.display import display

    children = []
    for child in range(3):
        pid = os.fork()
        if not pid:
            for number in range(count):
                display({"text/plain": f"{child}.{number} " + "x" * size}, raw=True, display_id=f"{child}.{number % 5}")
            os._exit(0)
        children.append(pid)
    return [os.waitpid(pid, 0)[1] for pid in children]


def returns(size: int):
    return "x" * size
