// Host.java: a Java program whose guests, in C, trap, while its threads catch
// NullPointerExceptions and StackOverflowErrors, and garbage is collected.
//
// SPDX-License-Identifier: MIT

public class Host {
    static final int THREADS = 4, BATCH = 10;

    int[] cells;

    static native int traps(int count);

    // The load through null faults: the JVM's handler makes it an exception.
    static int load(Host host) {
        return host.cells[0];
    }

    public static int nullPointers(int count) {
        int caught = 0;

        for (int i = 0; i < count; i++) {
            try {
                load(i % 2 == 0 ? null : new Host());
            } catch (NullPointerException e) {
                caught++;
            }
        }
        return caught;
    }

    static int descend(int depth) {
        return descend(depth + 1) + 1;
    }

    public static int overflows(int count) {
        int caught = 0;

        for (int i = 0; i < count; i++) {
            try {
                descend(0);
            } catch (StackOverflowError e) {
                caught++;
            }
        }
        return caught;
    }

    static class Worker extends Thread {
        final int share;
        int traps, exceptions;

        Worker(int share) {
            this.share = share;
        }

        @Override
        public void run() {
            for (int done = 0; done < share; done += BATCH) {
                traps += traps(BATCH);
                exceptions += nullPointers(BATCH);
                if (done % 1000 == 0)
                    overflows(1);
            }
        }
    }

    public static void main(String[] args) throws InterruptedException {
        int share = Integer.parseInt(args[1]) / THREADS / BATCH * BATCH;
        Worker[] workers = new Worker[THREADS];
        int traps = 0, exceptions = 0;

        System.load(args[0]);
        for (int i = 0; i < THREADS; i++) {
            workers[i] = new Worker(share);
            workers[i].start();
        }
        for (Worker worker : workers) {
            while (worker.isAlive()) {
                System.gc();
                worker.join(5);
            }
            traps += worker.traps;
            exceptions += worker.exceptions;
        }
        System.out.println("java: " + traps + " traps, " + exceptions + " exceptions");
        if (traps != THREADS * share || exceptions != THREADS * share)
            System.exit(1);
    }
}
