// Evaluations that decide: a plateau against PyTorch's, made by Tests/Reference/schedules.py, and an early end.

import Foundation
import Optimizers
import TestSupport
import Testing
import Training

@Suite("Progress of evaluations")
struct ProgressTests {
  private struct Reference: Decodable {
    var losses: [Double]
    /// The factor after each loss, and after each accuracy, by name of the rule.
    var plateau: [String: [String: [Double]]]

    static func read() throws -> Reference {
      let path = repository.appendingPathComponent("Tests/Reference/schedules.json")
      return try JSONDecoder().decode(Reference.self, from: try Data(contentsOf: path))
    }
  }

  @Test(
    "reduces the learning rate where PyTorch does on a plateau", arguments: WatchedQuantity.allCases
  )
  func plateau(quantity: WatchedQuantity) throws {
    let reference = try Reference.read()
    var (plain, strict) = (Plateau(), Plateau())
    (plain.factor, plain.patience) = (0.5, 2)
    (strict.patience, strict.threshold, strict.last) = (3, 0.02, 0.05)
    for (name, var plateau) in [("default", plain), ("threshold", strict)] {
      plateau.quantity = quantity
      let expected = try #require(reference.plateau[name]?[quantity.rawValue])
      var progress = Progress()
      for (loss, factor) in zip(reference.losses, expected) {
        let evaluation = Evaluation(loss: loss, correct: 128 - Int(loss * 128), count: 128)
        progress.note(evaluation, plateau, nil)
        #expect(abs(progress.rateFactor - factor) < 1e-15)
      }
      #expect(!progress.isStopped)
    }
  }

  @Test("ends a run early after as many evaluations as its patience, less than the change away")
  func earlyStopping() {
    func stop(_ losses: [Double], _ stopping: EarlyStopping) -> Int? {
      var progress = Progress()
      for (index, loss) in losses.enumerated() {
        progress.note(
          Evaluation(loss: loss, correct: 10 - Int(loss), count: 10), nil, stopping)
        if progress.isStopped { return index + 1 }
      }
      return nil
    }
    let losses: [Double] = [5, 4, 4, 3, 3, 2.5, 2.5, 2.5, 1]
    var stopping = EarlyStopping(patience: 2)
    #expect(stop(losses, stopping) == 8)
    stopping.patience = 3
    #expect(stop(losses, stopping) == nil)
    stopping.minimumChange = 0.5
    #expect(stop(losses, stopping) == 7)
    (stopping.quantity, stopping.patience, stopping.minimumChange) = (.accuracy, 2, 0)
    #expect(stop(losses, stopping) == 8)
    stopping.patience = 1
    #expect(stop(losses, stopping) == 3)
  }
}
