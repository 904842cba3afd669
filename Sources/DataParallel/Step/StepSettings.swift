package import Execution
import Numerics

/// The settings of a run's steps, the same on all ranks but for the number of workers.
package struct StepSettings: Sendable {
  /// The numbers of rows that steps have.
  let rowCounts: Set<Int>
  /// The number of microbatches of each step.
  let microbatches: Int
  /// The number of threads of this rank.
  let workers: Int
  /// The seed of the run.
  let seed: UInt64
  /// The precision of the operands of products.
  package var precision = OperandPrecision.float
  /// The format in which sums of gradients are sent between groups of ranks.
  package var gradientFormat = GradientFormat.float
  /// The most microbatches that a worker computes at once, rounded down to a power of two and the same on all
  /// ranks; nil to choose.
  ///
  /// Decides how fast steps are and how much memory they take, never what the answer is.
  package var groupSize: Int?
  /// The number of events that each worker's timeline holds; 0 for no timelines.
  package var timelineCapacity = 0

  /// Sets what every run has to choose.
  package init(rowCounts: Set<Int>, microbatches: Int, workers: Int, seed: UInt64) {
    self.rowCounts = rowCounts
    self.microbatches = microbatches
    self.workers = workers
    self.seed = seed
  }
}
