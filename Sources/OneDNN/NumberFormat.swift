import CDNNL

/// The format of a product's operands; sums and results are always `Float`.
public enum NumberFormat: Hashable, Sendable {
  /// As `Float`.
  case float
  /// As the upper half of a `Float`: 8 bits of precision, the same range.
  case bfloat16

  /// Indicates whether the library has products of such numbers that run as fast as this CPU can.
  ///
  /// For bfloat16 that is AVX-512 BF16 or AMX, as far as the library is allowed to use them.
  public var isSupported: Bool {
    switch self {
    case .float: true
    case .bfloat16:
      dnnl_get_effective_cpu_isa().rawValue & dnnl_cpu_isa_avx512_core_bf16.rawValue
        == dnnl_cpu_isa_avx512_core_bf16.rawValue
    }
  }

  /// The library's name of it.
  var dataType: dnnl_data_type_t {
    switch self {
    case .float: dnnl_f32
    case .bfloat16: dnnl_bf16
    }
  }
}
