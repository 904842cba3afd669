// Data files of every kind that users bring, good and bad.

import Datasets
import Foundation
import TestSupport

extension Workplace {
  /// The names, shape and formulas of a data file.
  struct Content {
    var samples = "samples"
    var targets = "labels"
    var shape = [40, 4]
    var rows = 40
    var label: (Int) -> Int64 = { Int64($0 % 2) }
    var sample: (Int) -> Float = { Float($0 * 7 % 11 - 5) / 4 }
  }

  /// Writes a data file with class labels and returns its path.
  @discardableResult
  func writeData(_ name: String, _ content: Content = Content()) throws -> String {
    let path = folder.file(name)
    let writer = try DatasetWriter(
      path: path,
      arrays: [
        .init(name: content.samples, type: .float32, shape: content.shape),
        .init(name: content.targets, type: .int64, shape: [content.rows]),
      ], replacing: true)
    try writer.append((0..<content.shape.reduce(1, *)).map(content.sample), to: content.samples)
    try writer.append((0..<content.rows).map(content.label), to: content.targets)
    try writer.finish()
    return path
  }

  /// Writes a data file with responses and returns its path.
  @discardableResult
  func writeResponses(_ name: String, count: Int) throws -> String {
    let path = folder.file(name)
    let writer = try DatasetWriter(
      path: path,
      arrays: [
        .init(name: "samples", type: .float32, shape: [40, 4]),
        .init(name: "responses", type: .float64, shape: [40, count]),
      ], replacing: true)
    try writer.append((0..<160).map(Content().sample), to: "samples")
    try writer.append((0..<40 * count).map { Double($0 % 5) / 5 }, to: "responses")
    try writer.finish()
    return path
  }
}
