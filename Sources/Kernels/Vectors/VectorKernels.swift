// The kernels of one instruction set.

import CElements

/// The kernels that gain from wider vectors, in one form per instruction set.
///
/// The sources of all forms are the same, and so are the bits: see `Sources/CElements`. What a function
/// computes is said where ``Elementwise``, ``Rowwise`` and ``Loss`` offer it.
package struct VectorKernels: Sendable {
  let forms: celements_kernels

  /// Applies an operation to elements at the same place; the result may overwrite an operand.
  ///
  /// - Parameters:
  ///   - code: The operation.
  ///   - number: The factor of a scale, the exponent of a power, or the limit of a cap.
  ///   - a: The first operand.
  ///   - b: The second operand; of an operation of one, anything.
  ///   - c: The result.
  ///   - count: The number of elements.
  package func apply(
    _ code: ElementCode, _ number: Double, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { forms.apply(code.form, number, a, b, c, count) }

  /// Applies an operation of two operands to each row of a matrix and one row; the result may overwrite the
  /// matrix.
  package func apply(
    _ code: ElementCode, _ a: UnsafePointer<Float>, row b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, rows: Int, columns: Int
  ) { forms.apply_row(code.form, a, b, c, rows, columns) }

  /// Applies an operation of two operands to elements that broadcasting pairs up; the result may overwrite
  /// an operand of as many elements.
  package func apply(
    _ code: ElementCode, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, over matrix: BroadcastMatrix
  ) { forms.apply_matrix(code.form, a, b, c, matrix.form) }

  /// Applies several operations, block after block.
  package func run(
    _ steps: UnsafePointer<ElementStep>, stepCount: Int, _ places: UnsafePointer<ElementPlace>,
    count: Int, block: Int
  ) {
    var start = 0
    while start < count {
      let length = min(block, count &- start)
      for index in 0..<stepCount {
        let step = steps[index]
        apply(
          step.code, step.number, places[step.a].pointer(from: start),
          places[step.b].pointer(from: start), into: places[step.c].pointer(from: start),
          count: length)
      }
      start &+= block
    }
  }

  package func softmax(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) { forms.softmax(a, rows, columns, c) }

  package func logSoftmax(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) { forms.log_softmax(a, rows, columns, c) }

  package func logSumExp(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) { forms.log_sum_exp(a, rows, columns, c) }

  package func softmaxCrossEntropy(
    logits: UnsafePointer<Float>, labels: UnsafePointer<Int32>, rows: Int, classes: Int,
    into c: UnsafeMutablePointer<Float>
  ) {
    check(labels, rows: rows, classes: classes)
    forms.cross_entropy(logits, labels, rows, classes, c)
  }

  package func softmaxCrossEntropyGradient(
    cotangent: UnsafePointer<Float>, logits: UnsafePointer<Float>, labels: UnsafePointer<Int32>,
    rows: Int, classes: Int, losses: UnsafeMutablePointer<Float>?,
    into c: UnsafeMutablePointer<Float>
  ) {
    check(labels, rows: rows, classes: classes)
    forms.cross_entropy_gradient(cotangent, logits, labels, rows, classes, losses, c)
  }

  private func check(_ labels: UnsafePointer<Int32>, rows: Int, classes: Int) {
    for i in 0..<rows {
      let label = labels[i]
      precondition(label >= 0 && Int(label) < classes, "label \(label) is not below \(classes)")
    }
  }
}

extension ElementCode {
  /// The code in C, where codes have the same numbers.
  fileprivate var form: celements_code { celements_code(rawValue: rawValue) }
}

extension BroadcastMatrix {
  fileprivate var form: celements_matrix {
    celements_matrix(
      rows: rows, columns: columns, a_stride: aStride, b_stride: bStride, a_is_column: aIsColumn,
      b_is_column: bIsColumn)
  }
}

extension ElementPlace {
  @inline(__always)
  fileprivate func pointer(from start: Int) -> UnsafeMutablePointer<Float> {
    isWhole ? pointer + start : pointer
  }
}
