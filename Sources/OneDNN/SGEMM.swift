import CDNNL

/// Computes the matrix product `C = op(A)·op(B)`, all row-major.
///
/// `C` is `[m, n]`, `A` is `[m, k]` or, transposed, `[k, m]`, `B` is `[k, n]` or, transposed,
/// `[n, k]`. The thread must have called ``prepareThread()``.
///
/// - Parameters:
///   - m: Rows of `C`.
///   - n: Columns of `C`.
///   - k: Terms of each sum.
///   - transposeLHS: True if `A` is stored as `[k, m]`.
///   - transposeRHS: True if `B` is stored as `[n, k]`.
///   - a: The elements of `A`.
///   - b: The elements of `B`.
///   - c: The memory of `C`; overlaps neither operand.
/// - Complexity: 2·m·n·k operations and 0.2 µs.
@inline(__always)
public func sgemm(
  rows m: Int, columns n: Int, depth k: Int, transposeLHS: Bool, transposeRHS: Bool,
  lhs a: UnsafePointer<Float>, rhs b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>
) {
  let status = dnnl_sgemm(
    CChar(transposeLHS ? 84 : 78), CChar(transposeRHS ? 84 : 78),
    dnnl_dim_t(m), dnnl_dim_t(n), dnnl_dim_t(k), 1,
    a, dnnl_dim_t(transposeLHS ? m : k), b, dnnl_dim_t(transposeRHS ? k : n), 0, c, dnnl_dim_t(n))
  precondition(status == dnnl_success, "dnnl_sgemm failed")
}
