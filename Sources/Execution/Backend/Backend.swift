// The seam: what turns schedules into arithmetic.
public import Numerics

/// A device with the functions that compute on it.
///
/// A backend decides how steps are computed, and nothing else: which steps there are, in which order and where
/// in memory is in the ``Schedule``.
public protocol Backend: Sendable {
  /// Returns true if products can take operands of a precision here.
  func supports(_ precision: OperandPrecision) -> Bool

  /// The preferences that schedules for a precision are made by.
  func preferences(for precision: OperandPrecision) -> BackendPreferences

  /// The arithmetic on flat vectors.
  var arithmetic: any FlatArithmetic { get }

  /// Returns whatever decides the bits of results here, for products of a precision.
  func environment(for precision: OperandPrecision) -> Environment

  /// The machine and its libraries, for people.
  var machine: Machine { get }

  /// Checks what the variables of the process ask of the backend.
  ///
  /// - Throws: ``PlanError/variable(_:found:expected:)``.
  func requireVariables() throws(PlanError)

  /// Readies the calling thread for workspaces, programs and arithmetic of this backend; nothing to undo.
  ///
  /// Every thread that uses them calls it first.
  ///
  /// - Complexity: Microseconds on the first call of a thread, nanoseconds after it.
  func prepareThread()

  /// Makes the working memory of one thread of control.
  func makeWorkspace(_ precision: OperandPrecision) -> any Workspace
}

extension Backend {
  /// Makes working memory for operands as they are.
  public func makeWorkspace() -> any Workspace { makeWorkspace(.float) }
}

/// The memory that programs which run one at a time share, and what compiles schedules for it.
///
/// One thread at a time.
public protocol Workspace: AnyObject {
  /// The preferences that schedules for this workspace are made by.
  var preferences: BackendPreferences { get }

  /// The shared memory, in bytes.
  var byteCount: Int { get }

  /// Binds a schedule to this memory.
  ///
  /// Call it for all schedules before the first program is used, since memory is allocated once.
  ///
  /// - Throws: ``PlanError/kernel(node:reason:)`` if a library refuses a step.
  func compile(_ schedule: Schedule) throws(PlanError) -> any Program

  /// Does what is done once for all runs with the same parameters; before the first of them.
  ///
  /// - Parameter parameters: The flat vector that the runs are given.
  func prepare(parameters: UnsafePointer<Float>)
}

/// The flat gradients of a run, one for each sum of its group.
public typealias GradientVectors = UnsafeBufferPointer<UnsafeMutablePointer<Float>>

/// A schedule that a backend can run.
///
/// A run allocates nothing, looks nothing up and creates nothing. One thread at a time.
public protocol Program: AnyObject {
  /// Returns where the elements of an input are written before a run; asked for before each.
  func input(at location: Location) -> UnsafeMutableRawPointer

  /// Runs some steps, in order.
  ///
  /// A milestone is a number of steps. It is reached when so many steps are done, which ends nothing; milestone 0 is
  /// reached at the start. What has been promised for a milestone is in the memory of the caller then: a range of the
  /// gradient that is final, or values that can be read.
  ///
  /// - Parameters:
  ///   - steps: The steps; those before have been run.
  ///   - parameters: A flat vector; read only.
  ///   - gradients: A flat vector for each sum of the group; the ranges of the gradients are written.
  ///   - draws: What random numbers depend on.
  ///   - milestones: Numbers of steps, ascending; those outside of `steps` are passed over.
  ///   - reached: Gets each milestone when it is reached, on the calling thread.
  /// - Complexity: Nothing per step but its work.
  func run(
    _ steps: Range<Int>, parameters: UnsafeMutablePointer<Float>,
    gradients: GradientVectors, draws: Draws, milestones: [Int], reached: (Int) -> Void)

  /// Returns where a value can be read once the values are there, until the next run in the workspace.
  func value(at location: Location) -> UnsafePointer<Float>

  /// Writes one microbatch's values, which are summed over microbatches, one after another.
  func copyOut(
    _ values: [Value], ofMicrobatch microbatch: Int, into vector: UnsafeMutablePointer<Float>)

  /// Replaces values that are summed over microbatches by the sums, for all microbatches.
  func copyIn(_ values: [Value], from vector: UnsafePointer<Float>)
}
