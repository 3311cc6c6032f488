#!/usr/bin/env python3
"""The end of the server.

usage: test_end.py SERVER SCRIPTS

SPDX-License-Identifier: MIT
"""
import signal
import socket

from server import Case, get, main


class Graceful(Case):
    def test_nothing_to_do(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with self.subTest(number):
                self.setUp()
                self.assertEqual(self.server.end(number), 0)

    def test_requests_in_progress_are_answered(self):
        busy = self.server.connect()
        partial = self.server.connect()
        idle = self.server.connect()
        script = self.server.connect()
        busy.send((get("/slow?1000") + get("/hello")).encode())
        script.send(get("/lua/sleep?1").encode())
        partial.send(b"GET /hel")
        idle.send(get("/hello").encode())
        self.assertEqual(idle.read().status, 200)
        self.assert_serves() # so all have been read
        self.server.process.send_signal(signal.SIGTERM)
        self.assertTrue(idle.is_closed())
        with self.assertRaises(ConnectionRefusedError):
            while True: # the kernel still accepts until the socket is closed
                socket.create_connection(("127.0.0.1", self.server.port)).close()
        partial.send(b"lo HTTP/1.1\r\nHost: x\r\n\r\n")
        for client, body in ((busy, b"awake\n"), (script, b"awake\n"),
                             (partial, b"hello\n")):
            answer = client.read()
            self.assertEqual(answer.body, body)
            self.assertEqual(answer.fields["Connection"], "close")
            self.assertTrue(client.is_closed())
            client.socket.close()
        self.assertEqual(self.server.process.wait(), 0)
        idle.socket.close()


class Impatient(Case):
    options = ("--grace-time", "0.5")

    def test_requests_that_take_too_long_are_dropped(self):
        clients = [self.server.connect() for _ in range(3)]
        clients[0].send(get("/slow?60000").encode())
        clients[1].send(get("/lua/sleep?60").encode())
        clients[2].send(b"GET /hel")
        self.assert_serves()
        self.assertEqual(self.server.end(), 0)
        for client in clients:
            self.assertTrue(client.is_closed())
            client.socket.close()


class AtTheLimit(Case):
    options = ("--max-connections", "1", "--grace-time", "0.5")

    def test_nobody_can_be_accepted(self):
        client = self.server.connect()
        client.send(get("/hello").encode())
        self.assertEqual(client.read().status, 200)
        self.assertEqual(self.server.end(), 0)
        client.socket.close()


main()
