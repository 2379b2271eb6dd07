"""The live panel: its contents, its buttons, and its updates, over a notebook's comm or a page's socket.

``rows`` turns a job into a row · ``board`` reads rows and changes from the store · ``feed`` is the one thread that watches ·
``details`` describes one job in full · ``commands`` carries out the buttons' commands · ``session`` is the conversation with
one panel · ``widget`` and ``display`` show it in a notebook. The code for the browser is in the folder ``web``.
"""
