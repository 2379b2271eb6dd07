"""A class whose constructor and methods take parameters, for sweeps over both."""

import os
import time

import numpy as np

import ipybgjobs


class Trial:
    def __init__(self, lr: float = 0.1, seed: int = 0, data=None):
        self.lr, self.seed, self.data = lr, seed, data

    def fit(self, epochs: int = 1, seed: int = 7) -> list:
        return [self.lr, self.seed, epochs, seed]

    def score(self, epochs: int = 1) -> dict:
        if epochs < 0:
            raise ValueError("no epochs")
        return {"auc": np.float64(self.lr * epochs), "rows": epochs, "model": object}

    def take(self, **given) -> list:
        return [self.lr, given]

    def measure(self, epochs: int = 1, fails: bool = False) -> str:
        for epoch in range(epochs):
            ipybgjobs.record(auc=np.float32(self.lr * epoch), epoch=epoch, phase="training", best=epoch == 2)
        if fails:
            raise ValueError("diverged")
        return "done"

    def hold(self, path: str, steps: int = 1) -> dict:
        """Record and report, then wait until a file exists."""
        for step in range(steps):
            print("step", step, flush=True)
            ipybgjobs.report(step + 1, steps)
        ipybgjobs.record(auc=self.lr, phase="holding")
        while not os.path.exists(path):
            time.sleep(0.02)
        print("released", flush=True)
        return {"f1": self.lr / 2}
