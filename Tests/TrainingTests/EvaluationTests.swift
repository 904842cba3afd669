// What an evaluation says of classes and responses, against numbers worked out by hand.

import CPUBackend
import Communication
import DataParallel
import Foundation
import Models
import Tensors
import TestSupport
import Testing
import Training

/// Rows in memory whose outputs are their samples, through a model that passes them on.
private final class GivenRows: RowSource {
  let rowCount: Int
  let samples: [Float]
  private let labels: [Int32]
  private let responses: [Float]

  init(_ rowCount: Int, samples: [Float], labels: [Int32] = [], responses: [Float] = []) {
    self.rowCount = rowCount
    self.samples = samples
    self.labels = labels
    self.responses = responses
  }

  func read(
    _ rows: UnsafeBufferPointer<Int>, samples: UnsafeMutablePointer<Float>, targets: TargetMemory?
  ) {
    func copy<Value>(_ values: [Value], _ target: UnsafeMutablePointer<Value>) {
      let count = values.count / rowCount
      for (index, row) in rows.enumerated() {
        for place in 0..<count { target[index * count + place] = values[row * count + place] }
      }
    }
    copy(self.samples, samples)
    switch targets {
    case .labels(let memory): copy(labels, memory)
    case .responses(let memory): copy(responses, memory)
    case nil: break
    }
  }

  /// The report on these rows, computed in blocks of some size by some workers.
  func report(
    _ loss: Loss = .softmaxCrossEntropy, block: Int = 4, workers: Int = 1, top: Int? = nil
  ) throws -> EvaluationReport {
    let network = try Network(
      layers: [Layer(.flatten)], loss: loss, sampleShape: Shape([samples.count / rowCount]),
      targets: loss.takesLabels ? .labels : .responses(responses.count / rowCount))
    var options = Evaluator.Options(pieceSize: block)
    options.workers = workers
    options.top = top
    let evaluator = try Evaluator(
      network, parameters: FloatBuffer(count: network.layout.count), rowCounts: [rowCount],
      options: options, backend: CPU(), communicator: SoloCommunicator())
    let report = try evaluator.report(on: self)
    #expect(try evaluator.evaluate(self) == report.evaluation)
    return report
  }
}

@Suite("Evaluation")
struct EvaluationTests {
  /// Six rows of four classes, of which the last is neither expected nor predicted.
  private let classes = GivenRows(
    6,
    samples: [
      3, 1, 0, -9, /**/ 0, 3, 1, -9, /**/ 0, 3, 1, -9, /**/ 0, 5, 5, -9, /**/ 1, 1, 1, -9, /**/ 0,
      2,
      1, -9,
    ], labels: [0, 1, 0, 2, 0, 1])

  @Test("counts which classes are taken for which, ties to the lowest")
  func confusion() throws {
    let report = try classes.report(top: 2)
    guard case .classes(let confusion) = report.detail else { throw Missing() }
    #expect(confusion.matrix == [[2, 1, 0, 0], [0, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    #expect(report.evaluation.correct == 4)
    #expect(report.evaluation.top?.correct == 5)
    #expect(confusion.classes.map(\.support) == [3, 2, 1, 0])
    #expect(confusion.classes.map(\.predicted) == [2, 4, 0, 0])
    #expect(confusion.classes.map(\.precision) == [1, 0.5, nil, nil])
    let (recalls, f1s): ([Double?], [Double?]) = ([2.0 / 3, 1, 0, nil], [0.8, 4.0 / 6, 0, nil])
    #expect(confusion.classes.map(\.recall) == recalls)
    #expect(confusion.classes.map(\.f1) == f1s)
    // As scikit-learn 1.9 says with average="macro": 0.5, 0.5556, 0.4889.
    #expect(confusion.macroAverages.precision == 0.5)
    #expect(abs(confusion.macroAverages.recall - 5.0 / 9) < 1e-15)
    #expect(abs(confusion.macroAverages.f1 - 22.0 / 45) < 1e-15)
  }

  @Test("gives the same bits however many rows are computed at once, by any number of workers")
  func pieces() throws {
    let count = 600
    let rows = GivenRows(
      count, samples: (0..<4 * count).map { Float($0 * 37 % 101) / 7 },
      labels: (0..<count).map { Int32($0 % 4) })
    let whole = try rows.report(.crossEntropy(labelSmoothing: 0.1, classWeights: [1, 0.3, 2, 1]))
    for (piece, workers) in [(1, 1), (3, 2), (100, 3), (256, 1)] {
      let report = try rows.report(
        .crossEntropy(labelSmoothing: 0.1, classWeights: [1, 0.3, 2, 1]), block: piece,
        workers: workers)
      #expect(report.evaluation == whole.evaluation, "\(piece) rows by \(workers) workers")
    }
  }

  @Test("divides the loss by the weights of the rows' classes")
  func classWeights() throws {
    let weights = [1, 0.25, 4, 1]
    let report = try classes.report(.crossEntropy(labelSmoothing: 0, classWeights: weights))
    var (loss, weight) = (0.0, 0.0)
    for (row, label) in [0, 1, 0, 2, 0, 1].enumerated() {
      let logits = classes.samples[row * 4..<row * 4 + 4].map(Double.init)
      let total = log(logits.reduce(0) { $0 + exp($1) })
      loss += weights[label] * (total - logits[label])
      weight += weights[label]
    }
    #expect(abs(report.evaluation.loss - loss / weight) < 1e-6)
  }

  @Test("lists the pairs most often confused, the largest first, equal ones by class")
  func mostConfused() {
    let confusion = Confusion(
      classCount: 3, counts: [0: 9, 1: 2, 2: 5, 3: 2, 4: 1, 5: 0, 6: 5, 8: 1])
    #expect(
      confusion.mostConfused(10).map { [$0.label, $0.prediction, $0.count] } == [
        [0, 2, 5], [2, 0, 5], [0, 1, 2], [1, 0, 2],
      ])
    #expect(confusion.mostConfused(1).count == 1)
    #expect(confusion.entries.count == 7)
  }

  @Test("gives squared and absolute errors and R² of each response and of all")
  func responses() throws {
    // Errors 1, −1, 0, 2 and 0, 0, 3, 0 and 1, 1, 1, 1; the third response never changes.
    let rows = GivenRows(
      4, samples: [2, 5, 8, /**/ 1, 6, 8, /**/ 3, 10, 8, /**/ 6, 8, 8],
      responses: [1, 5, 7, /**/ 2, 6, 7, /**/ 3, 7, 7, /**/ 4, 8, 7])
    let report = try rows.report(.meanSquaredError, block: 3)
    guard case .responses(let results) = report.detail else { throw Missing() }
    #expect(results.responses.map(\.meanSquared) == [1.5, 2.25, 1])
    #expect(results.responses.map(\.meanAbsolute) == [1, 0.75, 1])
    #expect(results.responses.map(\.rootMeanSquared)[1...] == [1.5, 1])
    let r2: [Double?] = [1 - 6.0 / 5, 1 - 9.0 / 5, nil]
    #expect(results.responses.map(\.r2) == r2)
    #expect(results.all.r2 == 1 - 19.0 / 10)
    #expect(results.all.meanSquared == 19.0 / 12)
    #expect(results.all.meanAbsolute == 11.0 / 12)
    #expect(report.evaluation.errors?.meanSquared == 19.0 / 12)
    #expect(abs(report.evaluation.loss - 19.0 / 12) < 1e-6)
  }

  @Test("keeps R² exact where the mean is far from 0")
  func farMean() throws {
    let responses: [Float] = (0..<8).map { 1e6 + Float($0 % 2) }
    let rows = GivenRows(8, samples: responses.map { $0 + 0.5 }, responses: responses)
    guard case .responses(let results) = try rows.report(.squaredNorm).detail else {
      throw Missing()
    }
    #expect(results.all.r2 == 0)
  }

  @Test("compares probabilities with responses where outputs are their logits")
  func logits() throws {
    let rows = GivenRows(2, samples: [0, 100], responses: [1, 1])
    let report = try rows.report(.binaryCrossEntropy)
    #expect(report.evaluation.errors?.meanSquared == 0.125)
    #expect(report.evaluation.errors?.meanAbsolute == 0.25)
  }

  @Test("is the same for any number of workers, in every bit", arguments: [1, 5, 64])
  func workers(block: Int) throws {
    var numbers = TestNumbers("evaluation on workers")
    let count = 203
    let samples = (0..<count * 3).map { _ in Float(numbers.uniform()) }
    let expectedOutputs = (0..<count * 3).map { _ in Float(numbers.uniform()) }
    let labels = GivenRows(count, samples: samples, labels: (0..<count).map { Int32($0 * 5 % 3) })
    let responses = GivenRows(count, samples: samples, responses: expectedOutputs)
    let expected = try (
      labels.report(block: block, top: 2), responses.report(.meanSquaredError, block: block)
    )
    for workers in 2...4 {
      #expect(try labels.report(block: block, workers: workers, top: 2) == expected.0)
      #expect(
        try responses.report(.meanSquaredError, block: block, workers: workers) == expected.1)
    }
  }

  @Test("refuses to look for labels among more outputs than there are")
  func badTop() throws {
    let folder = try RunFolder()
    let path = try folder.write(
      """
      data: { train: \(bundled("iris")), test: \(bundled("iris-test")) }
      model: [affine: 3]
      epochs: 1
      batch_size: 32

      """)
    #expect(
      message { try folder.train(path, ["evaluation.top=4"]) }
        == "evaluation.top is 4, expected at most 3, the number of classes")
    let regression = [
      "data.train=\(bundled("diabetes"))", "data.test=null", "model=[affine: 1]",
      "loss=squared_norm", "evaluation.top=1",
    ]
    #expect(
      message { try folder.train(path, regression) }
        == "evaluation.top is 1, expected none without class labels")
    let (session, _) = try folder.train(path, ["evaluation.top=2"])
    let top = try #require(session.evaluations.first?.evaluation.top)
    let record = try #require(try folder.records().last)
    #expect(record.hasSuffix("\"count\":30,\"top2\":\(top.correct)}"))
  }
}

private struct Missing: Error {}
