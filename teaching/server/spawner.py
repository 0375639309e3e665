"""A spawner of JupyterHub that starts each learner's server in a memory group, for machines without systemd."""

from __future__ import annotations

import asyncio

from jupyterhub.spawner import LocalProcessSpawner

from server import limits


class GroupSpawner(LocalProcessSpawner):
    """As JupyterHub's own spawner, under the account of the learner; `mem_limit` holds for all that they start."""

    def _group(self):
        groups, why = limits.find()
        if groups is None:
            raise RuntimeError(f"the memory of {self.user.name}'s server cannot be limited: {why}")
        return groups

    def make_preexec_fn(self, name):
        become = super().make_preexec_fn(name)
        group = self._group().make(name, self.mem_limit)

        def preexec():
            limits.enter(group)
            become()

        return preexec

    async def stop(self, now=False):
        await super().stop(now)
        # What a learner left running in the background would keep its memory.
        await asyncio.to_thread(limits.close, self._group().folder / self.user.name)
