// host.rs: a host in Rust, by FFI, without crates.
//
// Shows: libmoat.so from Rust; a coroutine that is freed when it is dropped; a
// guest's crash and a guest's panic as errors.
// Run: rustc --edition 2021 -L build/debug -l moat examples/rust/host.rs
//      LD_LIBRARY_PATH=build/debug ./host
// Prints: what became of each job (../expected/rust.txt).
// Try: limits, by a #[repr(C)] struct moat_co_options.
//
// SPDX-License-Identifier: MIT

use std::ffi::{c_void, CStr};
use std::os::raw::{c_char, c_int};
use std::panic;
use std::ptr;

type Handle = *mut c_void;
type Entry = extern "C" fn(Handle, *mut c_void) -> *mut c_void;

const OK: c_int = 0;
const EVENT_TRAP: c_int = 3;
const REPORT_LINE: c_int = 3;

#[repr(C)]
struct Event {
    kind: c_int,
    value: *mut c_void,
    co: Handle,
}

extern "C" {
    fn moat_co_create(out: *mut Handle, entry: Entry, options: *const c_void) -> c_int;
    fn moat_co_resume(co: Handle, input: *mut c_void, out: *mut Event) -> c_int;
    fn moat_co_format_report(
        co: Handle,
        form: c_int,
        buffer: *mut c_char,
        size: usize,
        length: *mut usize,
    ) -> c_int;
    fn moat_co_destroy(co: Handle);
    fn moat_error_str(status: c_int) -> *const c_char;
}

/// A function to run, its argument, and its result or its panic's message.
struct Call {
    job: fn(u64) -> u64,
    argument: u64,
    result: Result<u64, String>,
}

/// The root of the guest. No panic may pass it: it is a function of C's.
extern "C" fn guest(_co: Handle, input: *mut c_void) -> *mut c_void {
    let call = unsafe { &mut *(input as *mut Call) };
    let (job, argument) = (call.job, call.argument);

    call.result = panic::catch_unwind(|| job(argument)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().copied();
        format!("panicked: {}", text.unwrap_or("(no text)"))
    });
    input
}

/// A coroutine; dropping it ends the guest.
struct Coroutine(Handle);

impl Coroutine {
    fn new() -> Result<Coroutine, String> {
        let mut co = ptr::null_mut();

        match unsafe { moat_co_create(&mut co, guest, ptr::null()) } {
            OK => Ok(Coroutine(co)),
            status => Err(explain(status)),
        }
    }

    /// Runs a call to its end. After a trap the guest's destructors do not run:
    /// a job must not hold what others wait for, such as a mutex.
    fn run(self, job: fn(u64) -> u64, argument: u64) -> Result<u64, String> {
        let mut event = Event { kind: 0, value: ptr::null_mut(), co: ptr::null_mut() };
        let mut call = Call { job, argument, result: Ok(0) };
        let input = &mut call as *mut Call as *mut c_void;

        match unsafe { moat_co_resume(self.0, input, &mut event) } {
            OK if event.kind == EVENT_TRAP => Err(self.reason()),
            OK => call.result,
            status => Err(explain(status)),
        }
    }

    /// "trapped: " and the kind of the trap, from the report of one line.
    fn reason(&self) -> String {
        let mut line = [0 as c_char; 1024];
        let text = unsafe {
            moat_co_format_report(
                self.0,
                REPORT_LINE,
                line.as_mut_ptr(),
                line.len(),
                ptr::null_mut(),
            );
            CStr::from_ptr(line.as_ptr()).to_string_lossy()
        };
        let begin = text.find("trapped").unwrap_or(0);

        text[begin..].split(',').next().unwrap_or("").to_string()
    }
}

impl Drop for Coroutine {
    fn drop(&mut self) {
        unsafe { moat_co_destroy(self.0) }
    }
}

fn explain(status: c_int) -> String {
    unsafe { CStr::from_ptr(moat_error_str(status)).to_string_lossy().into_owned() }
}

// ---- Jobs, three of them with bugs ----

fn sum(last: u64) -> u64 {
    (1..=last).sum()
}

/// Unsafe code with a wrong address.
fn peek(address: u64) -> u64 {
    unsafe { ptr::read_volatile(address as *const u64) }
}

/// Recurses for ever.
#[allow(unconditional_recursion)]
fn nest(depth: u64) -> u64 {
    let frame = [depth; 32];

    nest(depth + 1) + unsafe { ptr::read_volatile(&frame[(depth % 32) as usize]) }
}

fn fail(_number: u64) -> u64 {
    panic!("a job gives up")
}

fn main() {
    let jobs: [(&str, fn(u64) -> u64, u64); 5] = [
        ("sum", sum, 100),
        ("peek", peek, 8),
        ("nest", nest, 0),
        ("fail", fail, 0),
        ("sum", sum, 10),
    ];

    panic::set_hook(Box::new(|_| {}));
    for (name, job, argument) in jobs {
        match Coroutine::new().and_then(|co| co.run(job, argument)) {
            Ok(result) => println!("{}: {}", name, result),
            Err(error) => println!("{}: {}", name, error),
        }
    }
}
