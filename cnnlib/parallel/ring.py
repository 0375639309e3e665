"""A ring all-reduce between processes, by NumPy and sockets of this machine (lesson 17).

Each member knows its right neighbour's port and nothing else. In ``members - 1`` steps partial sums travel to the
right, after which each member holds one chunk of the total; in as many more the totals travel on. Everybody adds in
the same order, so all end up with the same bits.
"""

from __future__ import annotations

import threading
from multiprocessing.connection import Client, Listener

import numpy as np

BROKEN = (EOFError, ConnectionError, OSError)


class Ring:
    """One member's place in a ring.

    Args:
        rank: of this member, from 0.
        members: how many there are.
        listener: where the left neighbour calls; ``Ring.listener(key)`` makes one, and its port is to be told to it.
        right: the port of the right neighbour's listener.
        key: a secret that all members share, so that nobody else can join.

    Raises:
        ConnectionError, EOFError, OSError: from any method, if a neighbour is gone.
    """

    def __init__(self, rank: int, members: int, listener: Listener, right: int, key: bytes):
        if not 0 <= rank < members:
            raise ValueError(f"rank {rank} of {members} members: expected 0 to {members - 1}.")
        self.rank, self.members = rank, members
        self.sent = 0  # bytes, headers not counted
        called: list = []
        thread = threading.Thread(target=lambda: called.append(Client(("127.0.0.1", right), authkey=key)), daemon=True)
        thread.start()  # everybody calls and answers at the same time
        self._left = listener.accept()
        thread.join()
        if not called:
            raise ConnectionError(f"member {(rank + 1) % members} does not answer on port {right}")
        self._right = called[0]

    @staticmethod
    def listener(key: bytes) -> Listener:
        """A listener on a free port of this machine, ``listener.address[1]``."""
        return Listener(("127.0.0.1", 0), authkey=key)

    def average(self, values: np.ndarray) -> np.ndarray:
        """The mean over all members of an array (n,) float32: the same bits for each of them."""
        chunks = [chunk.copy() for chunk in np.array_split(np.asarray(values, "float32"), self.members)]
        for step in range(self.members - 1):  # sums
            gone, came = (self.rank - step) % self.members, (self.rank - step - 1) % self.members
            chunks[came] = self._exchange(chunks[gone], len(chunks[came])) + chunks[came]
        for step in range(self.members - 1):  # totals
            gone, came = (self.rank + 1 - step) % self.members, (self.rank - step) % self.members
            chunks[came] = self._exchange(chunks[gone], len(chunks[came]))
        return np.concatenate(chunks) / np.float32(self.members)

    def _exchange(self, chunk: np.ndarray, length: int) -> np.ndarray:
        """Send to the right while the left neighbour's chunk comes in: whoever only sends may wait for ever."""
        data = chunk.tobytes()
        failed: list[BaseException] = []

        def send() -> None:
            try:
                self._right.send_bytes(data)
            except BROKEN as error:
                failed.append(error)

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        came = np.frombuffer(self._left.recv_bytes(), "float32")
        thread.join()
        if failed:
            raise ConnectionError(f"the right neighbour of member {self.rank} is gone") from failed[0]
        if len(came) != length:
            raise ValueError(f"{len(came)} numbers came, {length} were expected: do all members send the same array?")
        self.sent += len(data)
        return came

    def close(self) -> None:
        for end in (self._left, self._right):
            end.close()
