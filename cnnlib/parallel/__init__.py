"""More than one device: data parallelism, what it costs and when it pays, and many runs that nobody loses. Lesson 17.

=============  =====================================================================================================
`averaging`    a batch cut into shards, their gradients averaged; a gradient as one vector
`scaling`      Amdahl, Gustafson and Karp-Flatt; seconds and bytes of a ring all-reduce; the step on many devices
`budget`       memory of a training that is sharded over devices, the bubble of a pipeline, FLOPs and price of a run
`ring`         a ring all-reduce between processes
`group`        worker processes that train one network together; one of them may die
`simulated`    the same training on one and on two simulated devices, by the backend's own means
`campaign`     many commands on many processors: what is killed runs again, and a second start goes on
`study`        the small networks and the batches that workers, devices and tools train with
=============  =====================================================================================================

Workers are processes of their own (``python -m cnnlib.parallel.worker``): how many devices a backend sees is settled
before it starts, and a running kernel cannot change it. A module loads when first used.
"""

from cnnlib._lazy import exports

_MODULES = {
    "averaging": ("average", "flat", "relative_difference", "ring_states", "shards"),
    "budget": ("Memory", "cost", "memory", "pipeline_bubble", "training_flops"),
    "campaign": ("Campaign", "CampaignError", "Ledger"),
    "group": ("Group", "Training", "WorkerError"),
    "ring": ("Ring",),
    "scaling": (
        *("amdahl", "gustafson", "linear_rate", "ring_bytes", "ring_seconds", "serial_share", "step_seconds"),
        "worth_it",
    ),
    "simulated": ("Devices", "on_devices"),
    "study": ("Sweep", "batch", "images", "network"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__getattr__, __dir__, __all__ = exports(__name__, (m for m in _MODULES if m not in _HOME), _HOME)
