"""A way to a server that can be cut, and be there again."""

import contextlib
import socket
import threading


class Tunnel:
    """Forwards the connections to a port of the loopback interface to another port."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._connections: list[socket.socket] = []
        self._is_silent = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accept()

    def cut(self) -> None:
        """Refuse connections, and end those that there are."""
        for each in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._connections.clear()
        self.is_cut = True

    def fall_silent(self) -> None:
        """Take connections, and what is sent, but forward nothing any more."""
        self._is_silent = True

    def mend(self) -> None:
        """Take connections again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._accept()

    def _accept(self) -> None:
        self.is_cut = False
        threading.Thread(target=self._forward_all, args=(self._listener,), daemon=True).start()

    def _forward_all(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._connections += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self._is_silent:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
