#!/usr/bin/env python3
"""The command line.

usage: test_options.py SERVER SCRIPTS

SPDX-License-Identifier: MIT
"""
import socket
import subprocess
import sys

from server import Case, Client, get, main


class Options(Case):
    def run_server(self, *options):
        return subprocess.run([sys.argv[1], *options], text=True,
                              capture_output=True)

    def assert_refused(self, words, *options):
        ended = self.run_server(*options)
        self.assertEqual((ended.returncode, ended.stdout), (2, ""), options)
        self.assertIn(words, ended.stderr)

    def test_help(self):
        ended = self.run_server("--help")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertIn("usage: http_server [OPTION]... PORT", ended.stdout)

    def test_wrong_usage(self):
        for options in ([], ["1", "2"], ["--nonsense", "0"], ["--port"],
                        ["--descriptor", "3", "0"]):
            self.assert_refused("usage: http_server", *options)

    def test_wrong_numbers(self):
        for option, least, most in (("max-header", 256, 1048576),
                                    ("max-body", 0, 1073741824),
                                    ("max-connections", 1, 1048576)):
            words = "--%s is %%s: it must be %d to %d" % (option, least, most)
            for value in least - 1, most + 1, "x", "", "5x":
                self.assert_refused(words % value, "--" + option, str(value),
                                    "0")

    def test_wrong_times(self):
        for name in "header", "body", "idle", "answer", "write", "grace":
            for value in "0", "-1", "0.1", "1e9", "nan", "x", "":
                self.assert_refused("--%s-time is %s: it must be 0.2 to 86400 "
                                    "seconds" % (name, value),
                                    "--%s-time" % name, value, "0")

    def test_no_such_folder(self):
        ended = self.run_server("--scripts", "/nonsense", "0")
        self.assertEqual(ended.returncode, 1)
        self.assertIn("/nonsense: No such file", ended.stderr)

    def test_port_that_is_taken(self):
        ended = self.run_server("--address", "127.0.0.1",
                                str(self.server.port))
        self.assertEqual(ended.returncode, 1)
        self.assertIn("Address already in use", ended.stderr)

    def test_descriptor(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            number = listener.fileno()
            server = subprocess.Popen(
                [sys.argv[1], "--descriptor", str(number)],
                pass_fds=[number], stdout=subprocess.DEVNULL)
            with Client(listener.getsockname()[1]) as client:
                client.send(get("/hello").encode())
                self.assertEqual(client.read().status, 200)
            server.terminate()
            self.assertEqual(server.wait(), 0)


main()
