"""The server under test, and a client that speaks bytes.

SPDX-License-Identifier: MIT
"""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

# Nothing that works takes so long; what does not work must end some time.
PATIENCE = 300


class Answer:
    """A status line, fields and a body."""

    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def __repr__(self):
        return "%d %r %r" % (self.status, self.fields, self.body)


class Client:
    """A connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.input = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_slowly(self, data):
        """Sends byte by byte, each in a packet of its own."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(data)):
            self.socket.sendall(data[at:at + 1])

    def finish(self):
        """Sends no more, and reads on."""
        self.socket.shutdown(socket.SHUT_WR)

    def _receive(self):
        data = self.socket.recv(65536)
        self.input += data
        return data

    def read_head(self):
        while b"\r\n\r\n" not in self.input:
            if not self._receive():
                raise EOFError(self.input)
        head, self.input = self.input.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:])
        return int(lines[0].split()[1]), fields

    def read(self, has_body=True):
        """Reads an answer."""
        status, fields = self.read_head()
        length = int(fields.get("Content-Length", 0)) if has_body else 0
        while len(self.input) < length:
            if not self._receive():
                raise EOFError(self.input)
        body, self.input = self.input[:length], self.input[length:]
        return Answer(status, fields, body)

    def is_closed(self):
        """Waits until the server closes; it must not send more."""
        try:
            return self.input == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


class Server:
    """A server that runs."""

    def __init__(self, *options):
        program, scripts = sys.argv[1:3]
        self.folder = tempfile.TemporaryDirectory()
        self.log_file = open(os.path.join(self.folder.name, "log"), "w+")
        self.process = subprocess.Popen(
            [program, "--address", "127.0.0.1", "--scripts", scripts,
             "--reports", self.folder.name, *options, "0"],
            stdout=subprocess.PIPE, stderr=self.log_file, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def connect(self):
        return Client(self.port)

    def ask(self, text):
        """Sends a request; returns the answer. The server then closes."""
        with self.connect() as client:
            client.send(text.encode())
            answer = client.read()
            if not client.is_closed():
                raise AssertionError("more than an answer")
            return answer

    def get(self, url):
        return self.ask(get(url, "Connection: close"))

    def log(self):
        self.log_file.seek(0)
        return self.log_file.read()

    def report(self, number):
        path = pathlib.Path(self.folder.name) / (number + ".txt")
        return path.read_text()

    def end(self, number=signal.SIGTERM):
        """Ends the server; returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log_file.close()
        self.folder.cleanup()


def get(url, *fields):
    return "\r\n".join(["GET %s HTTP/1.1" % url, "Host: x", *fields, "", ""])


def post(url, body, *fields):
    return "\r\n".join(["POST %s HTTP/1.1" % url, "Host: x",
                        "Content-Length: %d" % len(body), *fields, "",
                        body])


class Case(unittest.TestCase):
    """A test with a server of its own; `options` are the server's."""

    options = ()

    def setUp(self):
        self.server = Server(*self.options)
        self.addCleanup(self.server.close)

    def assert_serves(self):
        answer = self.server.get("/hello")
        self.assertEqual((answer.status, answer.body), (200, b"hello\n"))


def main():
    unittest.main(argv=sys.argv[:1])
