// Alternate stacks for signal handlers that others install with `SA_ONSTACK`, such as a profiler's.

import Glibc

/// The size of a stack: room for a deep handler and the vector registers that the system saves, up to 11 KB.
///
/// Pages that no handler touches take no memory.
private let byteCount = 256 << 10

/// Gives the calling thread an alternate signal stack until it ends, unless it has one.
///
/// A handler installed with `SA_ONSTACK` then spares the data that primitives keep below the stack
/// pointer; see note 4 of Kernels. Without memory for it, the thread goes without.
func requireAlternateStack() {
  guard pthread_getspecific(stackOfThread) == nil else { return }
  var stack = stack_t()
  sigaltstack(nil, &stack)
  guard stack.ss_flags & Int32(SS_DISABLE) != 0 else { return }
  let memory = mmap(
    nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)
  guard let memory, memory != MAP_FAILED else { return }
  // An overflow at the lower end then ends the process instead of changing other memory.
  let guardByteCount = Int(getpagesize())
  mprotect(memory, guardByteCount, PROT_NONE)
  stack = stack_t(
    ss_sp: memory + guardByteCount, ss_flags: 0, ss_size: byteCount - guardByteCount)
  sigaltstack(&stack, nil)
  pthread_setspecific(stackOfThread, memory)
}

/// The key of the thread's alternate stack, whose memory is returned when the thread ends.
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
