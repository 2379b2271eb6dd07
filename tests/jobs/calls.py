"""A class and functions to be explained."""


class Net:
    def __init__(self, lr: float = 0.1):
        self.lr = lr

    def fit(self, epochs: int = 1, note: str = "", api_token=None, table=None):
        raise SystemExit("it has run")
