// What concerns the library as a whole: its version, the instruction set it uses, its threads.

import CDNNL

/// Makes oneDNN run on the calling thread alone.
///
/// The count of OpenMP threads belongs to each thread, and other counts give other bits: every thread
/// that creates or runs a primitive calls this first. Nothing to undo.
///
/// - Complexity: a few nanoseconds.
public func prepareThread() { omp_set_num_threads(1) }

/// The version of the library in use, such as `2.6.3`.
public func version() -> String {
  guard let version = dnnl_version()?.pointee else { return "unknown" }
  return "\(version.major).\(version.minor).\(version.patch)"
}

/// The best instruction set that the library finds on this CPU and is allowed to use, such as
/// `avx512_core`; part of what decides the bits of a product.
public func describeISA() -> String {
  let isa = dnnl_get_effective_cpu_isa()
  return names.first { $0.isa == isa }?.name ?? "isa 0x" + String(isa.rawValue, radix: 16)
}

private let names: [(isa: dnnl_cpu_isa_t, name: String)] = [
  (dnnl_cpu_isa_all, "default"),
  (dnnl_cpu_isa_sse41, "sse41"),
  (dnnl_cpu_isa_avx, "avx"),
  (dnnl_cpu_isa_avx2, "avx2"),
  (dnnl_cpu_isa_avx2_vnni, "avx2_vnni"),
  (dnnl_cpu_isa_avx512_mic, "avx512_mic"),
  (dnnl_cpu_isa_avx512_mic_4ops, "avx512_mic_4ops"),
  (dnnl_cpu_isa_avx512_core, "avx512_core"),
  (dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"),
  (dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"),
  (dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"),
]
