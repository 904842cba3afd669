// Stacks for handlers of signals that are installed by others, a profiler say, and that ask for one.

import Glibc

/// Room for the largest vector registers, of which the system saves 11 KB, and for a deep handler.
///
/// What no handler touches takes no memory.
private let byteCount = 256 << 10

/// Gives the calling thread an alternate signal stack until it ends, unless it has one.
///
/// A handler that was installed with `SA_ONSTACK` then leaves alone what primitives keep below the stack
/// pointer; see note 4 of Kernels. Where there is no memory for it the thread goes without.
func requireAlternateStack() {
  guard pthread_getspecific(stackOfThread) == nil else { return }
  var stack = stack_t()
  sigaltstack(nil, &stack)
  guard stack.ss_flags & Int32(SS_DISABLE) != 0 else { return }
  let memory = mmap(
    nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)
  guard let memory, memory != MAP_FAILED else { return }
  // What runs over its lower end ends the process instead of changing other memory.
  let guardByteCount = Int(getpagesize())
  mprotect(memory, guardByteCount, PROT_NONE)
  stack = stack_t(
    ss_sp: memory + guardByteCount, ss_flags: 0, ss_size: byteCount - guardByteCount)
  sigaltstack(&stack, nil)
  pthread_setspecific(stackOfThread, memory)
}

/// The memory of the thread's alternate stack, given back when the thread ends.
private let stackOfThread: pthread_key_t = {
  var key = pthread_key_t()
  let status = pthread_key_create(&key) { memory in
    var none = stack_t(ss_sp: nil, ss_flags: Int32(SS_DISABLE), ss_size: 0)
    sigaltstack(&none, nil)
    munmap(memory, byteCount)
  }
  precondition(status == 0, "no key for data of a thread: \(String(cString: strerror(status)))")
  return key
}()
