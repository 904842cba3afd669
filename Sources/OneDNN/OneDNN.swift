// The library as a whole: its version, the instruction set it uses, its threads.

import CDNNL

/// Makes oneDNN run on the calling thread alone, and gives the thread an alternate signal stack.
///
/// The count of OpenMP threads is a setting of each thread, and other counts give other bits; products keep
/// data below the stack pointer, which a signal handler on the same stack overwrites. Every thread that
/// creates or runs a primitive calls this first. It needs no undoing.
///
/// - Complexity: a few nanoseconds; some microseconds for the first call on a thread.
public func prepareThread() {
  omp_set_num_threads(1)
  requireAlternateStack()
}

/// Returns the version of the library in use, such as `2.6.3`.
public func version() -> String {
  guard let version = dnnl_version()?.pointee else { return "unknown" }
  return "\(version.major).\(version.minor).\(version.patch)"
}

/// Returns the best instruction set that the library finds on this CPU and may use, such as `avx512_core`.
///
/// It is one of the things that decide the bits of a product.
public func describeISA() -> String {
  let isa = dnnl_get_effective_cpu_isa()
  return cdnnl_isa_name(isa).map { String(cString: $0) }
    ?? "isa 0x" + String(isa.rawValue, radix: 16)
}
