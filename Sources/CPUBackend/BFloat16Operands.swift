import Execution
import Kernels

/// Memory for operands rounded to bfloat16: the parameters that products take, and room for the other operands.
///
/// Parameters are rounded once for all runs with the same parameters; everything else just before the product
/// that takes it.
final class BFloat16Operands {
  /// The rounded parameters, at their offsets in a flat vector; only those that products take are there.
  private(set) var parameters: UnsafeMutablePointer<UInt16> = .allocate(capacity: 0)
  /// Room for the two operands of a product.
  private(set) var operands: (UnsafeMutablePointer<UInt16>, UnsafeMutablePointer<UInt16>) = (
    .allocate(capacity: 0), .allocate(capacity: 0)
  )
  private var parameterCount = 0
  private var operandCount = 0
  private var ranges: [Range<Int>: BFloat16Rounding] = [:]

  deinit {
    parameters.deallocate()
    operands.0.deallocate()
    operands.1.deallocate()
  }

  /// The memory, in bytes.
  var byteCount: Int { (parameterCount + 2 * operandCount) * MemoryLayout<UInt16>.stride }

  /// Makes room for a flat vector, and for two operands of so many elements.
  func reserve(parameterCount: Int, operandCount: Int) {
    if parameterCount > self.parameterCount {
      parameters.deallocate()
      parameters = .allocate(capacity: parameterCount)
      self.parameterCount = parameterCount
    }
    if operandCount > self.operandCount {
      operands.0.deallocate()
      operands.1.deallocate()
      operands = (.allocate(capacity: operandCount), .allocate(capacity: operandCount))
      self.operandCount = operandCount
    }
  }

  /// Sees to it that some elements of the parameters are rounded.
  func need(_ range: Range<Int>) throws(PlanError) {
    guard ranges[range] == nil else { return }
    do {
      ranges[range] = try BFloat16Rounding(count: range.count)
    } catch {
      throw .kernel(node: "parameters \(range)", reason: "\(error)")
    }
  }

  /// Rounds the parameters that products take.
  func round(_ vector: UnsafePointer<Float>) {
    for (range, rounding) in ranges {
      rounding.run(vector + range.lowerBound, into: parameters + range.lowerBound)
    }
  }
}
