"""A job for the tutorial: a classifier of handwritten digits, with data that scikit-learn ships."""

from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split


class Trainer:
    """Trains a linear classifier."""

    def __init__(self, alpha: float = 0.0001) -> None:
        self.alpha = alpha

    def fit(self, epochs: int = 10) -> dict[str, float]:
        """Train, and return the accuracy on images that were not trained on."""
        data = load_digits()
        train_x, test_x, train_y, test_y = train_test_split(data.data, data.target, test_size=450, random_state=0)
        model = SGDClassifier(alpha=self.alpha, random_state=0)
        for epoch in range(1, epochs + 1):
            model.partial_fit(train_x, train_y, classes=range(10))
            print(f"epoch {epoch}: accuracy {model.score(test_x, test_y):.3f}")
        return {"accuracy": round(float(model.score(test_x, test_y)), 3), "alpha": self.alpha}

    @staticmethod
    def score(alpha: float, seed: int = 0) -> float:
        """Return the accuracy that a strength of regularisation gives after five passes."""
        data = load_digits()
        train_x, test_x, train_y, test_y = train_test_split(data.data, data.target, test_size=450, random_state=seed)
        model = SGDClassifier(alpha=alpha, random_state=seed, max_iter=5, tol=None).fit(train_x, train_y)
        return round(float(model.score(test_x, test_y)), 3)
