import DataParallel
import Execution
public import Models
import Numerics

/// What an evaluation sums over rows, and how the rows of a block are added to it.
struct RowSums {
  /// Where the sums that every evaluation has stand among its numbers; those of the responses follow.
  enum Place: Int, CaseIterable {
    case loss, weight, correct, top, squared, absolute
  }

  private let takesLabels: Bool
  private let responsesAreLogits: Bool
  private let outputCount: Int
  private let top: Int?
  /// What is subtracted from each response before it is summed; nil where responses are not told apart.
  var shifts: [Double]?
  /// The rows by `label · classes + prediction`; nil where classes are not told apart.
  var pairCounts: [Int: Int]?

  init(_ network: Network, top: Int?) {
    takesLabels = network.lossKind.takesLabels
    responsesAreLogits = network.lossKind.outputActivation == .sigmoid
    outputCount = network.outputCount
    self.top = top
  }

  /// The numbers that are summed.
  var count: Int {
    Place.allCases.count + (shifts == nil ? 0 : ResponseSums.count * outputCount)
  }

  /// Where the sums of a response stand among the numbers.
  static func range(of response: Int) -> Range<Int> {
    let start = Place.allCases.count + ResponseSums.count * response
    return start..<start + ResponseSums.count
  }

  /// Adds the rows that a worker has just computed.
  ///
  /// - Parameters:
  ///   - microbatch: The rows, with their outputs, targets and sums.
  ///   - numbers: What is added to.
  mutating func add(
    of microbatch: CompiledMicrobatch, to numbers: UnsafeMutableBufferPointer<Double>
  ) {
    numbers[Place.loss.rawValue] += microbatch.sums.loss
    numbers[Place.weight.rawValue] += microbatch.sums.weight
    numbers[Place.correct.rawValue] += Double(microbatch.sums.correct)
    let (rows, outputs) = (microbatch.rowCount, microbatch.outputs)
    switch microbatch.targets {
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
      numbers[Place.top.rawValue] += Double(
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
      numbers[Place.squared.rawValue] += error * error
      numbers[Place.absolute.rawValue] += error.magnitude
      guard let shifts else { continue }
      let place = index % outputCount
      let start = RowSums.range(of: place).lowerBound
      let shifted = Double(responses[index]) - shifts[place]
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
