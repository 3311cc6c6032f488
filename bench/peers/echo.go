// echo.go: Go's echo server for bench/echo: a goroutine for each connection, on
// one thread. Descriptor 3 is the listening socket.
//
// SPDX-License-Identifier: MIT
package main

import (
	"net"
	"os"
	"runtime"
)

func serve(connection net.Conn) {
	var bytes [512]byte
	defer connection.Close()
	for {
		count, err := connection.Read(bytes[:])
		if err != nil {
			return
		}
		if _, err = connection.Write(bytes[:count]); err != nil {
			return
		}
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		os.Exit(1)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			os.Exit(1)
		}
		go serve(connection)
	}
}
