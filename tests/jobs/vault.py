"""A function that takes anything and fails with it."""


def unlock(**given):
    value = given.popitem()[1]
    while isinstance(value, (dict, tuple, list)):
        value = list(value.values() if isinstance(value, dict) else value)[-1]
    print("got it")
    raise KeyError(value)
