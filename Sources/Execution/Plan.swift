public import Graphs
public import Numerics
public import Tensors

/// A schedule with the program that runs it, and the names that callers know.
///
/// Everything is decided when the plan is made. A run allocates nothing, looks nothing up and creates nothing. A
/// plan belongs to one thread at a time.
public final class Plan {
  /// The order, the memory and the milestones.
  public let schedule: Schedule
  @usableFromInline let program: any Program
  private let stepCount: Int
  private let values: [Graph.Node: Value]

  /// Schedules and compiles a graph for rows of one microbatch.
  ///
  /// - Parameters:
  ///   - graph: The graph; what the asked-for nodes do not need is left out.
  ///   - batch: The number of rows, at least 1.
  ///   - values: Nodes that can be read after a run by ``value(of:)``.
  ///   - gradients: Nodes that a run writes into the flat gradient, each for a named parameter
  ///     of its shape.
  ///     Ranges of the layout without such a node are not written.
  ///   - layout: Where parameters and gradients lie; holds every parameter of the graph.
  ///   - workspace: The memory for everything in between; compiles the schedule.
  /// - Throws: ``PlanError``.
  /// - Complexity: O(n²) in the nodes that are needed.
  public convenience init(
    _ graph: Graph, batch: Int, values: [Graph.Node],
    gradients: [(parameter: String, node: Graph.Node)] = [], layout: FlatLayout,
    workspace: any Workspace
  ) throws(PlanError) {
    try self.init(
      graph, group: MicrobatchGroup(rowCount: batch), values: values, gradients: gradients,
      layout: layout, workspace: workspace)
  }

  /// Schedules and compiles a graph for a group of microbatches, by other preferences than the workspace's if
  /// some are given.
  ///
  /// The parameters are those of ``Schedule/init(_:group:values:gradients:layout:preferences:)``.
  public init(
    _ graph: Graph, group: MicrobatchGroup, values: [Graph.Node],
    gradients: [(parameter: String, node: Graph.Node)] = [], layout: FlatLayout,
    workspace: any Workspace, preferences: BackendPreferences? = nil
  ) throws(PlanError) {
    schedule = try Schedule(
      graph, group: group, values: values, gradients: gradients, layout: layout,
      preferences: preferences ?? workspace.preferences)
    program = try workspace.compile(schedule)
    stepCount = schedule.steps.count
    self.values = Dictionary(zip(values, schedule.values), uniquingKeysWith: { a, _ in a })
  }

  /// The labels of the steps, in order, such as `affine1: matmul + bias + relu → [batch, 32]`.
  public var stepLabels: [String] { schedule.steps.map(\.label) }

  /// Returns where the rows of a data node are written before a run, row-major.
  ///
  /// - Parameter name: The name of a data node that the plan needs; nil is returned for any other.
  /// - Returns: The first element; asked for before each run.
  public func data(_ name: String) -> UnsafeMutablePointer<Float>? {
    guard let location = schedule.inputs[name]?.location, location.region == .arena else {
      return nil
    }
    return program.input(at: location).assumingMemoryBound(to: Float.self)
  }

  /// Returns where the class numbers of a label node are written before a run.
  ///
  /// - Parameter name: The name of a label node that the plan needs; nil is returned for any other.
  /// - Returns: The first class number; asked for before each run.
  public func labels(_ name: String) -> UnsafeMutablePointer<Int32>? {
    guard let location = schedule.inputs[name]?.location, location.region == .labels else {
      return nil
    }
    return program.input(at: location).assumingMemoryBound(to: Int32.self)
  }

  /// Returns where the value of a node is after a run, valid until the next run in the workspace.
  ///
  /// - Parameter node: One of the nodes that the plan was made for; not a parameter, whose value is
  ///   in the memory given to the run, and not class numbers.
  /// - Returns: The first element, row-major.
  public func value(of node: Graph.Node) -> UnsafePointer<Float> {
    guard let location = values[node]?.location else {
      preconditionFailure("the plan was not asked for the value of node \(node.index)")
    }
    precondition(
      location.region == .arena || location.region == .constants,
      "the value of node \(node.index) is in memory of the caller")
    return program.value(at: location)
  }

  /// Returns where an input of the schedule is written before a run; asked for before each.
  @inlinable public func input(at location: Location) -> UnsafeMutableRawPointer {
    program.input(at: location)
  }

  /// Returns where a readable value of the schedule is after a run, valid until the next one in the workspace.
  @inlinable public func value(at location: Location) -> UnsafePointer<Float> {
    program.value(at: location)
  }

  /// Computes everything once.
  ///
  /// The whole plan in one run is right where nothing is summed over microbatches within the graph, or there is
  /// one microbatch.
  ///
  /// - Parameters:
  ///   - parameters: A flat vector of the layout; read only.
  ///   - gradients: A flat vector of the layout for each sum of the group; the ranges of the gradients are written.
  ///     Not used by a plan without gradients.
  ///   - draws: What random numbers depend on.
  ///   - milestones: Numbers of steps, ascending; see ``Program/run(_:parameters:gradients:draws:milestones:reached:)``.
  ///   - reached: Gets each milestone when it is reached.
  /// - Complexity: No allocation after the first plan in the workspace has run.
  public func run(
    parameters: UnsafeMutablePointer<Float>, gradients: GradientVectors, draws: Draws = Draws(),
    milestones: [Int] = [], reached: (Int) -> Void = { _ in }
  ) {
    program.run(
      0..<stepCount, parameters: parameters, gradients: gradients, draws: draws,
      milestones: milestones, reached: reached)
  }

  /// Computes everything once, for one microbatch alone.
  public func run(
    parameters: UnsafeMutablePointer<Float>, gradient: UnsafeMutablePointer<Float>,
    draws: Draws = Draws(), milestones: [Int] = [], reached: (Int) -> Void = { _ in }
  ) {
    withUnsafePointer(to: gradient) {
      run(
        parameters: parameters, gradients: GradientVectors(start: $0, count: 1), draws: draws,
        milestones: milestones, reached: reached)
    }
  }

  // MARK: Segments.

  /// Computes one segment; those before it have been run, and their sums set.
  ///
  /// - Parameters:
  ///   - segment: The segment, within `0 ..< segmentCount` of the schedule.
  ///   - parameters: A flat vector of the layout; read only.
  ///   - gradients: A flat vector of the layout for each sum of the group, the same for all segments of a run.
  ///   - draws: What random numbers depend on.
  ///   - milestones: Numbers of steps of the whole run, ascending.
  ///   - reached: Gets each milestone when it is reached.
  /// - Complexity: No allocation after the first plan in the workspace has run.
  public func run(
    segment: Int, parameters: UnsafeMutablePointer<Float>, gradients: GradientVectors,
    draws: Draws = Draws(), milestones: [Int] = [], reached: (Int) -> Void = { _ in }
  ) {
    program.run(
      schedule.steps(ofSegment: segment), parameters: parameters, gradients: gradients,
      draws: draws, milestones: milestones, reached: reached)
  }

  /// Returns true if all values that can be read have been computed when a segment has been run.
  public func valuesAreThere(after segment: Int) -> Bool {
    schedule.steps(ofSegment: segment).upperBound >= schedule.forwardStepCount
  }

  /// Returns how many numbers are summed over microbatches after a segment, the same for any number of rows.
  ///
  /// - Parameter segment: Not the last one.
  /// - Returns: At least 1.
  public func sumCount(after segment: Int) -> Int {
    schedule.segmentEnds[segment].sums.reduce(0) { $0 + $1.shape.fixedCount }
  }

  /// Writes what a microbatch of the group adds to the sums after a segment.
  public func copySums(
    after segment: Int, ofMicrobatch microbatch: Int, into vector: UnsafeMutablePointer<Float>
  ) {
    program.copyOut(schedule.segmentEnds[segment].sums, ofMicrobatch: microbatch, into: vector)
  }

  /// Takes the sums over all microbatches after a segment.
  public func setSums(after segment: Int, from vector: UnsafePointer<Float>) {
    program.copyIn(schedule.segmentEnds[segment].sums, from: vector)
  }
}
