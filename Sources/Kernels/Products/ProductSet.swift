// The form of the products that this CPU runs.

import CProducts

extension InstructionSet {
  /// Its name among the products.
  var products: cproducts_set {
    switch self {
    case .baseline: cproducts_baseline
    #if arch(x86_64)
      case .avx2: cproducts_avx2
      case .avx512: cproducts_avx512
    #endif
    }
  }
}
