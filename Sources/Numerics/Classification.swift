// Classes of the largest scores, and the rows that are classified correctly.

/// Functions of scores, `[rows, classes]`, and labels, `[rows]`, each within `0..<classes`.
///
/// Nothing is allocated.
public enum Classification {
  /// Counts the rows whose largest logit is that of the label; ties go to the lowest class.
  public static func correct(
    logits: UnsafePointer<Float>, labels: UnsafePointer<Int32>, rows: Int, classes: Int
  ) -> Int {
    var count = 0
    for i in 0..<rows where largestClass(logits + i &* classes, classes) == Int(labels[i]) {
      count &+= 1
    }
    return count
  }

  /// Counts the rows whose label is among the `count` largest logits; ties go to the lowest class.
  ///
  /// A NaN counts as larger than any number.
  public static func correct(
    logits: UnsafePointer<Float>, labels: UnsafePointer<Int32>, rows: Int, classes: Int,
    amongLargest count: Int
  ) -> Int {
    var found = 0
    for i in 0..<rows {
      let row = logits + i &* classes
      let label = index(labels[i], classes)
      let own = row[label]
      var above = 0
      for j in 0..<classes {
        // Not below the label's, and if equal then of a lower class.
        if j != label, !(row[j] < own), row[j] != own || j < label { above &+= 1 }
      }
      if above < count { found &+= 1 }
    }
    return found
  }

  /// Writes the class of each row's largest logit; ties go to the lowest class.
  public static func argmax(
    _ logits: UnsafePointer<Float>, rows: Int, classes: Int, into c: UnsafeMutablePointer<Int32>
  ) {
    for i in 0..<rows {
      c[i] = Int32(truncatingIfNeeded: largestClass(logits + i &* classes, classes))
    }
  }

  @inline(__always)
  private static func index(_ label: Int32, _ classes: Int) -> Int {
    precondition(label >= 0 && Int(label) < classes, "label \(label) is not below \(classes)")
    return Int(label)
  }

  @inline(__always)
  private static func largestClass(_ row: UnsafePointer<Float>, _ classes: Int) -> Int {
    var best = 0
    for j in 1..<max(classes, 1) where row[j] > row[best] { best = j }
    return best
  }
}
