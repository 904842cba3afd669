import Digests
import Kernels
public import Tensors

/// One rank's copy of everything that training changes; the same bits on every rank.
public final class Replica {
  /// The flat parameters.
  public let parameters: FloatBuffer
  /// Where each parameter lies in them.
  public let layout: FlatLayout
  /// The rule that changes them, with its state.
  public let optimizer: Optimizer
  /// The steps taken.
  public internal(set) var step = 0
  /// The loss of the last step.
  public internal(set) var lastLoss = Double.nan
  /// The best evaluation so far, and the step it is of.
  public internal(set) var best: (step: Int, evaluation: Evaluation)?

  /// Creates a replica of zeros.
  init(layout: FlatLayout, rule: OptimizerRule, learningRate: Double) {
    self.layout = layout
    parameters = FloatBuffer(count: layout.count)
    optimizer = Optimizer(rule, learningRate: learningRate, count: layout.count)
  }

  /// Applies one step of the optimiser, each worker to a range of elements.
  ///
  /// - Parameters:
  ///   - gradient: The flat sum of the gradients of all rows.
  ///   - scale: What the sum is multiplied by to be the mean: one over the summed weight.
  ///   - step: The number of this step, from 1.
  ///   - rateFactor: What the step size is multiplied by in this step.
  ///   - pool: The workers.
  func update(
    gradient: FloatBuffer, scale: Double, step: Int, rateFactor: Double, pool: WorkerPool
  ) {
    pool.runOnRanges(of: parameters.count) { range in
      optimizer.update(
        parameters, gradient: gradient, elements: range, scale: scale, step: step,
        rateFactor: rateFactor)
    }
    self.step = step
  }

  /// Keeps an evaluation if it is the best so far.
  func noteEvaluation(_ evaluation: Evaluation) {
    if let best, !evaluation.isBetter(than: best.evaluation) { return }
    best = (step, evaluation)
  }

  /// SHA-256 over parameters and optimiser state, to compare replicas.
  func digest() -> String {
    var hash = SHA256()
    for buffer in [parameters] + optimizer.slots {
      hash.update(UnsafeRawBufferPointer(UnsafeMutableRawBufferPointer(buffer.elements)))
    }
    return hash.finalizeHex()
  }

  /// Whether every parameter and all optimiser state are finite numbers.
  var isFinite: Bool {
    ([parameters] + optimizer.slots).allSatisfy {
      FlatSum.isFinite($0.pointer, count: $0.count)
    }
  }
}
