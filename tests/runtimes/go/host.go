// host.go: a Go program whose guests, in C, trap, while goroutines recover from
// their own nil pointers, garbage is collected and the CPU is profiled.
//
// SPDX-License-Identifier: MIT
package main

/*
#include "../traps.h"

extern void goService(void);
static inline int run_traps(int count) { return traps_run(count, goService); }
*/
import "C"

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const workers = 4

var services, garbage int64

//export goService
func goService() {
	atomic.AddInt64(&services, 1)
	atomic.AddInt64(&garbage, int64(len(make([]byte, 1<<10))))
}

type node struct{ next *node }

//go:noinline
func nilPointer(n *node) (recovered bool) {
	defer func() { recovered = recover() != nil }()
	return n.next.next == nil
}

// Each as many traps and panics as asked, alternately.
func work(count int, traps, panics *int64) {
	const batch = 10
	for done := 0; done < count; done += batch {
		atomic.AddInt64(traps, int64(C.run_traps(batch)))
		for i := 0; i < batch; i++ {
			if nilPointer(&node{}) {
				atomic.AddInt64(panics, 1)
			}
		}
	}
}

func main() {
	count, _ := strconv.Atoi(os.Args[1])
	var profile bytes.Buffer
	var traps, panics, collections int64
	var group sync.WaitGroup
	stop := make(chan bool)

	if err := pprof.StartCPUProfile(&profile); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				runtime.GC()
				collections++
			}
		}
	}()
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func() {
			work(count/workers, &traps, &panics)
			group.Done()
		}()
	}
	group.Wait()
	stop <- true
	pprof.StopCPUProfile()
	fmt.Printf("go: %d traps, %d services, %d panics, %d collections, %d bytes of profile\n",
		traps, services, panics, collections, profile.Len())
	want := int64(count / workers * workers)
	if traps != want || services != want || panics != want ||
		collections == 0 || profile.Len() == 0 {
		os.Exit(1)
	}
}
