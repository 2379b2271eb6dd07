"""The panel as its own page, an extension of Jupyter Server: ``jupyter bgjobs dashboard`` serves it on loopback.

``handlers`` contains the page and its socket · ``server`` the extension, and the small server that the command starts · ``verb``
the command. In an existing Jupyter server: ``jupyter server extension enable ipybgjobs``, then ``/bgjobs/``.
"""
