"""The panel as a page of its own, an extension of Jupyter Server: ``jupyter bgjobs dashboard`` serves it on loopback.

``handlers`` are the page and its socket · ``server`` is the extension, and the small server that the command starts · ``verb`` is
the command. In a Jupyter server that runs anyway: ``jupyter server extension enable ipybgjobs``, then ``/bgjobs/``.
"""
