// The form of the vector kernels that this CPU runs.

import CElements
import CVectors

/// An instruction set that the vector kernels are built for.
package enum InstructionSet: CaseIterable, Sendable {
  /// The instructions that every CPU of the architecture has: SSE2 or NEON.
  case baseline
  #if arch(x86_64)
    /// AVX2 and what came with it.
    case avx2
    /// AVX-512 with byte, doubleword and quadword instructions and short vectors.
    case avx512
  #endif

  /// Indicates that this CPU and its operating system have it.
  package var isSupported: Bool {
    switch self {
    case .baseline: true
    #if arch(x86_64)
      case .avx2: cvectors_level() >= 3
      case .avx512: cvectors_level() >= 4
    #endif
    }
  }

  /// Its kernels; called only where it is supported.
  package var kernels: VectorKernels {
    switch self {
    case .baseline: VectorKernels(forms: celements_baseline)
    #if arch(x86_64)
      case .avx2: VectorKernels(forms: celements_avx2)
      case .avx512: VectorKernels(forms: celements_avx512)
    #endif
    }
  }

  /// The name, such as `avx2`.
  package var name: String { "\(self)" }

  /// The variable of the process that limits the choice, for comparisons: all give the same bits.
  package static let limitName = "NNDIST_MAX_ISA"

  /// The value of that variable, if it names no instruction set.
  package static var unknownLimit: String? {
    guard let value = limitValue, limit == nil else { return nil }
    return value
  }

  private static let limitValue =
    getenv(limitName).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  private static let limit = allCases.first { $0.name == limitValue }

  /// The largest that is supported and allowed.
  package static let best: InstructionSet = {
    let allowed = allCases[...(limit.flatMap { allCases.firstIndex(of: $0) } ?? allCases.count - 1)]
    return allowed.last { $0.isSupported } ?? .baseline
  }()
}

/// The kernels for this CPU.
let kernels = InstructionSet.best.kernels
