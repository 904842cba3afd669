import CDNNL

/// The format of a product's operands; sums and results are always `Float`.
public enum NumberFormat: Hashable, Sendable {
  /// `Float`.
  case float
  /// The upper half of a `Float`: 8 bits of precision, the same range.
  case bfloat16

  /// Indicates whether the library multiplies such numbers by instructions of this CPU.
  ///
  /// For bfloat16 these are AVX-512 BF16 or AMX, if the library may use them.
  public var isSupported: Bool {
    switch self {
    case .float: true
    case .bfloat16:
      dnnl_get_effective_cpu_isa().rawValue & dnnl_cpu_isa_avx512_core_bf16.rawValue
        == dnnl_cpu_isa_avx512_core_bf16.rawValue
    }
  }

  /// The library's name of the format.
  var dataType: dnnl_data_type_t {
    switch self {
    case .float: dnnl_f32
    case .bfloat16: dnnl_bf16
    }
  }
}
