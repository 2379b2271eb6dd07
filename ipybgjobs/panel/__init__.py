"""The live panel: what it shows, what its buttons do, and how it learns of changes, over a notebook's comm or a page's socket.

``rows`` says a job as a row · ``board`` reads rows and changes from the store · ``feed`` is the one thread that looks ·
``details`` says one job in full · ``commands`` does what a button asks · ``session`` is the talk with one panel ·
``widget`` and ``display`` put it into a notebook. What a browser shows is in the folder ``web``.
"""
