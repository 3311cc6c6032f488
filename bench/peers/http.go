// http.go: an HTTP server by Go's net/http, for bench/http: a goroutine for each
// connection, on one thread. Descriptor 3 is the listening socket.
//
// SPDX-License-Identifier: MIT
package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
)

func hello(writer http.ResponseWriter, _ *http.Request) {
	writer.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(writer, "hello\n")
}

func main() {
	runtime.GOMAXPROCS(1)
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		os.Exit(1)
	}
	http.HandleFunc("/hello", hello)
	http.Serve(listener, nil)
}
