import DataParallel
import Execution
public import Models
import Numerics

/// The sums of an evaluation over rows.
struct RowSums {
  /// The positions of the sums that every evaluation has; those of the responses follow.
  enum Position: Int, CaseIterable {
    case loss, weight, correct, top, squared, absolute
  }

  private let takesLabels: Bool
  private let responsesAreLogits: Bool
  private let outputCount: Int
  private let top: Int?
  /// The number subtracted from each response before it is summed; nil if responses are not reported apart.
  var shifts: [Double]?
  /// The rows by `label · classes + prediction`; nil if classes are not reported apart.
  var pairCounts: [Int: Int]?

  init(_ network: Network, top: Int?) {
    takesLabels = network.lossKind.takesLabels
    responsesAreLogits = network.lossKind.outputActivation == .sigmoid
    outputCount = network.outputCount
    self.top = top
  }

  /// The number of sums.
  var count: Int {
    Position.allCases.count + (shifts == nil ? 0 : ResponseSums.count * outputCount)
  }

  /// Returns the positions of the sums of a response.
  static func range(of response: Int) -> Range<Int> {
    let start = Position.allCases.count + ResponseSums.count * response
    return start..<start + ResponseSums.count
  }

  /// Adds the rows that a worker has just computed.
  ///
  /// - Parameters:
  ///   - group: The rows, with their outputs, targets and sums.
  ///   - numbers: The sums so far.
  mutating func add(
    _ group: CompiledGroup, to numbers: UnsafeMutableBufferPointer<Double>
  ) {
    let (rows, outputs) = (group.rowCount, group.outputs)
    for row in 0..<rows {
      numbers[Position.loss.rawValue] += group.loss(ofRow: row)
      numbers[Position.weight.rawValue] += group.weight(ofRow: row)
    }
    numbers[Position.correct.rawValue] += Double(group.sums[0].correct)
    switch group.targets {
    case .labels(let labels)?: addLabels(labels, outputs, rows, to: numbers)
    case .responses(let responses)?: addErrors(responses, outputs, rows, to: numbers)
    case nil: break
    }
  }

  private mutating func addLabels(
    _ labels: UnsafePointer<Int32>, _ outputs: UnsafePointer<Float>, _ rows: Int,
    to numbers: UnsafeMutableBufferPointer<Double>
  ) {
    if let top {
      numbers[Position.top.rawValue] += Double(
        Classification.correct(
          logits: outputs, labels: labels, rows: rows, classes: outputCount, amongLargest: top))
    }
    guard pairCounts != nil else { return }
    var predictions = [Int32](repeating: 0, count: rows)
    predictions.withUnsafeMutableBufferPointer { predictions in
      guard let start = predictions.baseAddress else { return }
      Classification.argmax(outputs, rows: rows, classes: outputCount, into: start)
    }
    for row in 0..<rows {
      pairCounts?[Int(labels[row]) * outputCount + Int(predictions[row]), default: 0] += 1
    }
  }

  private func addErrors(
    _ responses: UnsafePointer<Float>, _ outputs: UnsafePointer<Float>, _ rows: Int,
    to numbers: UnsafeMutableBufferPointer<Double>
  ) {
    var predictions = Array(UnsafeBufferPointer(start: outputs, count: rows * outputCount))
    if responsesAreLogits { applySigmoid(&predictions) }
    for index in predictions.indices {
      let error = Double(predictions[index]) - Double(responses[index])
      numbers[Position.squared.rawValue] += error * error
      numbers[Position.absolute.rawValue] += error.magnitude
      guard let shifts else { continue }
      let response = index % outputCount
      let start = RowSums.range(of: response).lowerBound
      let shifted = Double(responses[index]) - shifts[response]
      numbers[start] += error * error
      numbers[start + 1] += error.magnitude
      numbers[start + 2] += shifted
      numbers[start + 3] += shifted * shifted
    }
  }
}

/// Turns logits into probabilities.
public func applySigmoid(_ logits: inout [Float]) {
  for index in logits.indices { logits[index] = Elementary.sigmoid(logits[index]) }
}

extension Network {
  /// Checks a number of largest outputs among which labels are looked for.
  ///
  /// - Throws: ``TrainingError/badTop(key:found:classCount:)``.
  public func requireTop(_ top: Int?, key: String) throws(TrainingError) {
    guard let top else { return }
    let classCount = lossKind.takesLabels ? outputCount : nil
    guard let classCount, (1...classCount).contains(top) else {
      throw .badTop(key: key, found: top, classCount: classCount)
    }
  }
}
