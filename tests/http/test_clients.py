#!/usr/bin/env python3
"""Clients that are slow, or do not behave.

usage: test_clients.py SERVER SCRIPTS

SPDX-License-Identifier: MIT
"""
import socket
import struct

from server import Case, get, main, post


class Slow(Case):
    """Clients that make it in time."""

    def test_byte_by_byte(self):
        text = (get("/hello", "X-Field: value") +
                post("/echo", "body of twenty bytes") +
                "POST /echo HTTP/1.1\r\nHost: x\r\n"
                "Transfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        with self.server.connect() as client:
            client.send_slowly(text.encode())
            self.assertEqual(client.read().body, b"hello\n")
            self.assertEqual(client.read().body, b"body of twenty bytes")
            self.assertEqual(client.read().body, b"abcde")

    def test_byte_by_byte_with_a_long_head(self):
        fields = ["X-Field-%d: %s" % (n, "x" * 40) for n in range(40)]
        with self.server.connect() as client:
            client.send_slowly(get("/hello", *fields).encode())
            self.assertEqual(client.read().body, b"hello\n")

    def test_others_do_not_wait(self):
        with self.server.connect() as slow:
            slow.send(b"GET /hel")
            self.assert_serves()
            slow.send(b"lo HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(slow.read().body, b"hello\n")

    def test_half_closed(self):
        with self.server.connect() as client:
            client.send((get("/hello") + get("/slow?200")).encode())
            client.finish()
            self.assertEqual(client.read().body, b"hello\n")
            self.assertEqual(client.read().body, b"awake\n")
            self.assertTrue(client.is_closed())

    def test_half_closed_within_a_request(self):
        for text in "GET /hel", post("/echo", "abc")[:-1]:
            with self.server.connect() as client:
                client.send(text.encode())
                client.finish()
                self.assertTrue(client.is_closed())
        self.assert_serves()

    def test_says_nothing(self):
        with self.server.connect() as client:
            client.finish()
            self.assertTrue(client.is_closed())
        self.assert_serves()


class Late(Case):
    """Clients that do not."""

    options = ("--header-time", "0.5", "--body-time", "0.5", "--idle-time",
               "0.5", "--write-time", "0.5")

    def assert_late(self, text):
        with self.server.connect() as client:
            client.send(text.encode())
            answer = client.read()
            self.assertEqual(answer.status, 408)
            self.assertEqual(answer.fields["Connection"], "close")
            self.assertTrue(client.is_closed())

    def test_head(self):
        self.assert_late("GET /hel")
        self.assert_late(get("/hello")[:-2])

    def test_body(self):
        self.assert_late(post("/echo", "abc")[:-1])

    def test_drops(self):
        """Each byte is in time; the whole is not."""
        client = self.server.connect()
        client.send(b"GET /hello HTTP/1.1\r\nX-Endless: ")
        client.socket.settimeout(0.1)
        with client:
            while True:
                try:
                    if client.socket.recv(1, socket.MSG_PEEK):
                        break
                except TimeoutError:
                    client.send(b"x")
            client.socket.settimeout(300)
            self.assertEqual(client.read().status, 408)

    def test_idle(self):
        with self.server.connect() as client:
            self.assertTrue(client.is_closed())
        with self.server.connect() as client:
            client.send(get("/hello").encode())
            self.assertEqual(client.read().status, 200)
            self.assertTrue(client.is_closed())

    def test_handler_is_not_the_client(self):
        """The time of a request ends when it is there."""
        with self.server.connect() as client:
            client.send(get("/slow?1500").encode())
            self.assertEqual(client.read().body, b"awake\n")


class DoesNotRead(Case):
    options = ("--write-time", "0.5", "--max-connections", "1")

    def test_makes_room(self):
        """The server has more to write than the kernel takes. It then closes
        the only connection that it may have, and serves the next client."""
        with self.server.connect() as client:
            client.send(get("/large?1000000").encode() * 30)
            self.assert_serves()


class Rude(Case):
    def test_reset(self):
        """The client is gone when its answer comes."""
        for url in "/slow?100", "/large?1000000", "/loop", "/lua/sleep?0.1":
            client = self.server.connect()
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack("ii", 1, 0))
            client.send(get(url).encode() * 3)
            client.socket.close()
        self.assert_serves()

    def test_noise(self):
        for seed in range(256):
            with self.server.connect() as client:
                client.send(bytes((seed * (n + 7) ^ n >> 3) % 256
                                  for n in range(300)) + b"\r\n\r\n")
                client.finish()
                client.socket.recv(65536)
        self.assert_serves()

    def test_endless(self):
        """The server neither reads nor keeps all of it."""
        with self.server.connect() as client:
            with self.assertRaises((ConnectionResetError, BrokenPipeError)):
                client.send(b"GET /hello HTTP/1.1\r\n")
                while True:
                    client.send(b"X-Field: " + b"x" * 10000)
        self.assert_serves()


class Many(Case):
    options = ("--max-connections", "4")

    def test_limit(self):
        """Those beyond the limit wait, and are served in turn."""
        clients = [self.server.connect() for _ in range(12)]
        for client in clients:
            client.send(get("/hello", "Connection: close").encode())
        for client in clients:
            self.assertEqual(client.read().status, 200)
            client.socket.close()


main()
