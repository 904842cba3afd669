import CDNNL

/// One matrix product with everything that follows it, compiled for one shape.
///
/// `C = f(op(A)·op(B) + b)`, all row by row: `C` is `[m, n]`, `b` is `[n]`, `A` is `[m, k]` or,
/// transposed, `[k, m]`, `B` is `[k, n]` or, transposed, `[n, k]`. A final class with one owner,
/// used by one thread at a time, after ``prepareThread()`` on each thread that does.
public final class MatmulPrimitive {
  /// What is applied to each element of the sum.
  public enum Activation: Hashable, Sendable {
    /// Nothing.
    case none
    /// The hyperbolic tangent, as oneDNN computes it: within 2 ulp.
    case tanh
    /// The logistic function, as oneDNN computes it: within 6 ulp, and 1e-7.
    case sigmoid
  }

  private let context: Context
  private let primitive: dnnl_primitive_t
  private let lhs: Memory
  private let rhs: Memory
  private let bias: Memory?
  private let destination: Memory
  private let scratchpadMemory: Memory
  private let scratchpad: UnsafeMutableRawPointer
  private let arguments: UnsafeMutablePointer<dnnl_exec_arg_t>
  private let argumentCount: Int32

  /// Compiles the product, or takes it from the library's cache of compiled ones.
  ///
  /// - Parameters:
  ///   - m: Rows of `C`, at least 1.
  ///   - n: Columns of `C`, at least 1.
  ///   - k: Terms of each sum, at least 1.
  ///   - transposeLHS: Whether `A` is stored `[k, m]`.
  ///   - transposeRHS: Whether `B` is stored `[n, k]`.
  ///   - hasBias: Whether `b` is added.
  ///   - activation: What follows the sum.
  ///   - operands: How the elements of `A` and `B` are stored; `b` and `C` are `Float`.
  /// - Throws: ``OneDNNError`` if the library refuses the shape or is out of memory.
  /// - Complexity: up to milliseconds, when code is generated.
  public init(
    rows m: Int, columns n: Int, depth k: Int, transposeLHS: Bool, transposeRHS: Bool,
    bias hasBias: Bool, activation: Activation, operands: NumberFormat = .float
  ) throws(OneDNNError) {
    let context = try Context()
    var lhs = try matrix(rows: m, columns: k, isTransposed: transposeLHS, operands)
    var rhs = try matrix(rows: k, columns: n, isTransposed: transposeRHS, operands)
    var bias = try matrix(rows: 1, columns: n, isTransposed: false)
    var destination = try matrix(rows: m, columns: n, isTransposed: false)
    let subject = "product [\(m), \(k)] · [\(k), \(n)]"

    var operation = dnnl_matmul_desc_t()
    try check(
      hasBias
        ? dnnl_matmul_desc_init(&operation, &lhs, &rhs, &bias, &destination)
        : dnnl_matmul_desc_init(&operation, &lhs, &rhs, nil, &destination),
      "dnnl_matmul_desc_init", subject)
    let description = try MatmulPrimitive.describe(&operation, activation, context, subject)
    defer { dnnl_primitive_desc_destroy(description) }

    let scratchpadQuery = dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0)
    guard let scratchpadDescription = scratchpadQuery else {
      throw OneDNNError(
        call: "dnnl_primitive_desc_query_md", status: "no scratchpad", subject: subject)
    }
    let scratchpadMemory = try Memory(scratchpadDescription.pointee, context)
    let lhsMemory = try Memory(lhs, context)
    let rhsMemory = try Memory(rhs, context)
    let biasMemory = hasBias ? try Memory(bias, context) : nil
    let destinationMemory = try Memory(destination, context)

    var primitive: dnnl_primitive_t?
    try check(dnnl_primitive_create(&primitive, description), "dnnl_primitive_create", subject)
    guard let primitive else {
      throw OneDNNError(call: "dnnl_primitive_create", status: "no primitive", subject: subject)
    }

    self.context = context
    self.primitive = primitive
    scratchpad = .allocate(
      byteCount: max(dnnl_memory_desc_get_size(scratchpadDescription), 1), alignment: 64)
    scratchpadMemory.point(to: scratchpad)
    arguments = .allocate(capacity: 5)
    arguments[0] = cdnnl_argument(cdnnl_arg_source(), lhsMemory.handle)
    arguments[1] = cdnnl_argument(cdnnl_arg_weights(), rhsMemory.handle)
    arguments[2] = cdnnl_argument(cdnnl_arg_destination(), destinationMemory.handle)
    arguments[3] = cdnnl_argument(cdnnl_arg_scratchpad(), scratchpadMemory.handle)
    argumentCount = hasBias ? 5 : 4
    arguments[4] = cdnnl_argument(
      cdnnl_arg_bias(), biasMemory?.handle ?? destinationMemory.handle)
    self.lhs = lhsMemory
    self.rhs = rhsMemory
    self.bias = biasMemory
    self.destination = destinationMemory
    self.scratchpadMemory = scratchpadMemory
  }

  deinit {
    dnnl_primitive_destroy(primitive)
    arguments.deallocate()
    scratchpad.deallocate()
  }

  /// Computes the product.
  ///
  /// - Parameters:
  ///   - a: The elements of `A`, in the format of operands.
  ///   - b: The elements of `B`, in the format of operands.
  ///   - addend: The elements of `b`, given exactly if the primitive has a bias.
  ///   - c: Where `C` goes; overlaps no operand.
  /// - Complexity: 2·m·n·k operations and 0.2 µs; no allocation of ours.
  public func run(
    lhs a: UnsafeRawPointer, rhs b: UnsafeRawPointer, bias addend: UnsafePointer<Float>?,
    into c: UnsafeMutablePointer<Float>
  ) {
    lhs.point(to: a)
    rhs.point(to: b)
    destination.point(to: c)
    precondition((argumentCount == 5) == (addend != nil), "bias given and announced differ")
    if let addend { bias?.point(to: addend) }
    // The CPU's stream computes before it returns, so there is nothing to wait for.
    let status = dnnl_primitive_execute(primitive, context.stream, argumentCount, arguments)
    precondition(status == dnnl_success, "dnnl_primitive_execute failed")
  }

  /// Chooses an implementation of the product with its activation.
  private static func describe(
    _ operation: inout dnnl_matmul_desc_t, _ activation: Activation, _ context: Context,
    _ subject: String
  ) throws(OneDNNError) -> dnnl_primitive_desc_t {
    var attributes: dnnl_primitive_attr_t?
    try check(dnnl_primitive_attr_create(&attributes), "dnnl_primitive_attr_create")
    defer { dnnl_primitive_attr_destroy(attributes) }
    try check(
      dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user),
      "dnnl_primitive_attr_set_scratchpad_mode")

    var postOperations: dnnl_post_ops_t?
    try check(dnnl_post_ops_create(&postOperations), "dnnl_post_ops_create")
    defer { dnnl_post_ops_destroy(postOperations) }
    let kind: dnnl_alg_kind_t? =
      switch activation {
      case .none: nil
      case .tanh: dnnl_eltwise_tanh
      case .sigmoid: dnnl_eltwise_logistic
      }
    if let kind {
      try check(
        dnnl_post_ops_append_eltwise(postOperations, 1, kind, 0, 0),
        "dnnl_post_ops_append_eltwise")
      try check(
        dnnl_primitive_attr_set_post_ops(attributes, postOperations),
        "dnnl_primitive_attr_set_post_ops")
    }

    var description: dnnl_primitive_desc_t?
    try check(
      dnnl_primitive_desc_create(&description, &operation, attributes, context.engine, nil),
      "dnnl_primitive_desc_create", subject)
    guard let description else {
      throw OneDNNError(
        call: "dnnl_primitive_desc_create", status: "no description", subject: subject)
    }
    return description
  }
}
