// library.go: a library in Go, for a host in C.
//
// SPDX-License-Identifier: MIT
package main

import "C"

import (
	"runtime"
	"runtime/pprof"
)

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

type node struct{ next *node }

//go:noinline
func nilPointer(n *node) (recovered bool) {
	defer func() { recovered = recover() != nil }()
	return n.next.next == nil
}

//export GoProfile
func GoProfile(on C.int) {
	if on != 0 {
		_ = pprof.StartCPUProfile(discard{})
	} else {
		pprof.StopCPUProfile()
	}
}

// GoWork recovers from nil pointers and returns from how many.
//
//export GoWork
func GoWork(count C.int) C.int {
	recovered := 0
	for i := 0; i < int(count); i++ {
		if nilPointer(&node{}) {
			recovered++
		}
	}
	runtime.GC()
	return C.int(recovered)
}

func main() {}
