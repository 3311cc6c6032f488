// channels.go: Go's side of bench/sched: one case per run.
//
//	channels CASE COUNT THREADS
//
// Prints the nanoseconds per operation: those of the CPU on one thread, those
// that pass on several.
//
// SPDX-License-Identifier: MIT
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func cpu() float64 {
	var use syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &use)
	return float64(use.Utime.Nano() + use.Stime.Nano())
}

func messages(capacity, count int) {
	channel := make(chan int, capacity)
	go func() {
		for i := 0; i < count; i++ {
			channel <- i
		}
		close(channel)
	}()
	for range channel {
	}
}

func spawnAndJoin(count int) {
	for i := 0; i < count; i++ {
		done := make(chan int)
		go func() { done <- i }()
		<-done
	}
}

func selects(count int) {
	var c [8]chan int
	for i := range c {
		c[i] = make(chan int, 1)
	}
	for i := 0; i < count; i++ {
		c[i&7] <- i
		select {
		case <-c[0]:
		case <-c[1]:
		case <-c[2]:
		case <-c[3]:
		case <-c[4]:
		case <-c[5]:
		case <-c[6]:
		case <-c[7]:
		}
	}
}

func sleepers(count int) {
	var group sync.WaitGroup
	for i := 0; i < count; i++ {
		group.Add(1)
		go func(i int) {
			for k := 0; k < 3; k++ {
				time.Sleep(time.Duration(10000000 + i*100))
			}
			group.Done()
		}(i)
	}
	group.Wait()
}

func skynet(parent chan int, number, size int) {
	if size == 1 {
		parent <- number
		return
	}
	children := make(chan int)
	sum := 0
	for i := 0; i < 10; i++ {
		go skynet(children, number+i*(size/10), size/10)
	}
	for i := 0; i < 10; i++ {
		sum += <-children
	}
	parent <- sum
}

// Bytes per goroutine that waits.
func idle(count int) {
	var before, after runtime.MemStats
	forever := make(chan int)
	runtime.ReadMemStats(&before)
	for i := 0; i < count; i++ {
		go func() { <-forever }()
	}
	runtime.Gosched()
	runtime.ReadMemStats(&after)
	fmt.Println(float64(after.Sys-before.Sys) / float64(count))
}

func main() {
	count, _ := strconv.Atoi(os.Args[2])
	threads, _ := strconv.Atoi(os.Args[3])
	runtime.GOMAXPROCS(threads)
	clock := cpu
	if threads > 1 {
		start := time.Now()
		clock = func() float64 { return float64(time.Since(start)) }
	}
	begin := clock()
	switch os.Args[1] {
	case "unbuffered":
		messages(0, count)
	case "buffered":
		messages(100, count)
	case "spawn":
		spawnAndJoin(count)
	case "select":
		selects(count)
	case "sleepers":
		sleepers(count)
	case "skynet":
		root := make(chan int)
		go skynet(root, 0, count)
		if <-root != count*(count-1)/2 {
			os.Exit(1)
		}
	case "idle":
		idle(count)
		return
	default:
		os.Exit(2)
	}
	fmt.Println((clock() - begin) / float64(count))
}
