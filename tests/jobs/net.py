"""A class whose `on_submit` checks and completes what is asked for."""


class Fetcher:
    def fetch(self, url: str, tries: int = 3):
        return [url, tries]

    @classmethod
    def on_submit(cls, method, params):
        if not params["url"].startswith("https:"):
            raise ValueError(f"{params['url']} is not safe")
        return {**params, "url": params["url"] + "?by=" + method, "tries": params.get("tries", 3) + 1}


class Form:
    def on_submit(self):
        return "a method of its own"
