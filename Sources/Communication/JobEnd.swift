// The hard end of a job.

import Glibc

/// Flushes buffered output, but waits no longer than two seconds.
func flushOutput() {
  // A thread stuck in a write holds its stream's lock for ever, and ending by `alarm` would lose the
  // status; so a separate thread flushes.
  let flag = Flag()
  spawnThread { [flag] in
    fflush(nil)
    flag.raise()
  }
  for _ in 0..<200 where !flag.isRaised { usleep(10_000) }
}

/// Flushes output and ends this process at once, from any thread.
func endProcess(status: Int32) -> Never {
  flushOutput()
  _exit((1...255).contains(status) ? status : ExitStatus.bug)
}

/// Starts a detached thread that takes no signals.
func spawnThread(_ body: @escaping @Sendable () -> Void) {
  var all = sigset_t()
  var before = sigset_t()
  sigfillset(&all)
  pthread_sigmask(SIG_SETMASK, &all, &before)
  defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  var thread = pthread_t()
  let box = Unmanaged.passRetained(ThreadBody(body))
  let status = pthread_create(&thread, &attributes, startThread, box.toOpaque())
  if status != 0 { box.release() }
  pthread_attr_destroy(&attributes)
}

/// The closure that a thread runs.
final class ThreadBody: Sendable {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// The C entry point of a thread: takes the retained `ThreadBody` it is given and runs it.
func startThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  if let context { Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run() }
  return nil
}
