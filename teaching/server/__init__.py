"""The server for a class: JupyterHub on one machine (``launch``), and what Kubernetes needs (``kubernetes/``).

``settings`` configures JupyterHub, ``limits`` and ``spawner`` hold the memory of each learner's server where there is
no systemd, ``begin`` hands out notebooks as that server starts, ``plan`` counts what a class needs. teaching/server.md
has the rest.
"""
