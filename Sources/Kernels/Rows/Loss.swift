// Losses of class scores and their gradient.

/// Kernels over `logits`, `[rows, classes]`, and `labels`, `[rows]`, each within `0..<classes`.
///
/// A label outside traps: data is checked where it is read. No allocation.
public enum Loss {
  /// Writes the cross-entropy of each row's softmax against its label, in nats, into `[rows]`.
  ///
  /// `log Σ e^(x − max) − (x[label] − max)`, so no finite logit overflows.
  /// Source: Goodfellow, Bengio and Courville, *Deep Learning* (2016), section 6.2.2.3.
  public static func softmaxCrossEntropy(
    logits: UnsafePointer<Float>, labels: UnsafePointer<Int32>, rows: Int, classes: Int,
    into c: UnsafeMutablePointer<Float>
  ) {
    kernels.softmaxCrossEntropy(
      logits: logits, labels: labels, rows: rows, classes: classes, into: c)
  }

  /// Writes the cotangent of the logits: `cotangent[i] · (softmax(row i) − oneHot(label i))`.
  ///
  /// `cotangent` is `[rows]`; `c` is `[rows, classes]` and may be `logits`. Where `losses`, `[rows]`, is given, it
  /// gets what ``softmaxCrossEntropy(logits:labels:rows:classes:into:)`` writes, for no further exponential.
  public static func softmaxCrossEntropyGradient(
    cotangent: UnsafePointer<Float>, logits: UnsafePointer<Float>, labels: UnsafePointer<Int32>,
    rows: Int, classes: Int, losses: UnsafeMutablePointer<Float>? = nil,
    into c: UnsafeMutablePointer<Float>
  ) {
    kernels.softmaxCrossEntropyGradient(
      cotangent: cotangent, logits: logits, labels: labels, rows: rows, classes: classes,
      losses: losses, into: c)
  }

  /// Writes 1 at each row's label and 0 elsewhere.
  public static func oneHot(
    _ labels: UnsafePointer<Int32>, rows: Int, classes: Int, into c: UnsafeMutablePointer<Float>
  ) {
    c.update(repeating: 0, count: rows &* classes)
    for i in 0..<rows { c[i &* classes &+ index(labels[i], classes)] = 1 }
  }

  @inline(__always)
  private static func index(_ label: Int32, _ classes: Int) -> Int {
    precondition(label >= 0 && Int(label) < classes, "label \(label) is not below \(classes)")
    return Int(label)
  }
}
