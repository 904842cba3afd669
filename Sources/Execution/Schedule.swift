// A graph made ready to be compiled for one group of microbatches: order, memory and milestones, as a value.
public import Graphs
public import Tensors

/// The order of steps and the places of values in memory; nothing of how steps are computed.
///
/// A backend needs nothing else to run it. It prints as text: the memory, then the steps.
public struct Schedule: Hashable, Sendable {
  /// Known numbers.
  public struct Constant: Hashable, Sendable {
    /// The first element that they fill.
    public let location: Location
    /// The numbers; one for all if there is but one.
    public let numbers: [Double]
    /// The number of elements that they fill.
    public let count: Int
  }

  /// A part of the flat gradient that a step writes.
  public struct GradientWrite: Hashable, Sendable {
    /// The elements.
    public let elements: Range<Int>
    /// The index of the step.
    public let step: Int
  }

  /// The end of a segment: values that are summed over all microbatches of a step of training there.
  public struct SegmentEnd: Hashable, Sendable {
    /// The number of steps before it.
    public let stepCount: Int
    /// The values that are summed.
    public let sums: [Value]
  }

  /// The microbatches that are computed together.
  public let group: MicrobatchGroup
  /// The steps, in order.
  public let steps: [Step]
  /// The number of steps after which all values that can be read are there.
  public let forwardStepCount: Int
  /// The elements of each region that is used.
  public let memory: [Region: Int]
  /// The numbers of the constants.
  public let constants: [Constant]
  /// The data and labels that are written before a run, by name.
  public let inputs: [String: Value]
  /// The values that can be read after a run, in the order in which they were asked for.
  public let values: [Value]
  /// The parts of the flat gradient, in the order of their steps.
  public let gradientWrites: [GradientWrite]
  /// The ends of all segments but the last.
  public let segmentEnds: [SegmentEnd]
  /// The parameters that are rounded to bfloat16 before a run.
  public let roundedParameters: [Range<Int>]

  /// Schedules a graph.
  ///
  /// - Parameters:
  ///   - graph: The graph; what the asked-for nodes do not need is left out.
  ///   - group: The microbatches that are computed together.
  ///   - values: Nodes that can be read after a run.
  ///   - gradients: Nodes that a run adds over the microbatches of each sum of the group, into the flat gradient
  ///     of that sum, each for a named parameter of its shape. Ranges of the layout without such a node are
  ///     not written.
  ///   - layout: Where parameters and gradients lie; holds every parameter of the graph.
  ///   - preferences: The wishes of the backend.
  /// - Throws: ``PlanError/parameter(_:found:expected:)``, ``PlanError/graph(_:)``.
  /// - Complexity: O(n²) in the nodes that are needed.
  public init(
    _ graph: Graph, group: MicrobatchGroup, values: [Graph.Node],
    gradients: [(parameter: String, node: Graph.Node)] = [], layout: FlatLayout,
    preferences: BackendPreferences
  ) throws(PlanError) {
    precondition(
      Set(gradients.map(\.parameter)).count == gradients.count, "two gradients for one parameter")
    var scheduler: Scheduler
    let read: [Graph.Node]
    do {
      let legal = try graph.legalized(
        keeping: values + gradients.map(\.node), channelsLast: preferences.putsChannelsLast)
      read = Array(legal.kept[..<values.count])
      scheduler = Scheduler(
        graph: legal.graph, group: group, values: read,
        gradients: zip(gradients, legal.kept[values.count...]).map { ($0.parameter, $1) },
        layout: layout, preferences: preferences)
    } catch {
      throw .graph(error)
    }
    try scheduler.run()
    self.group = group
    steps = scheduler.steps
    forwardStepCount = scheduler.forwardStepCount
    memory = scheduler.memory
    constants = scheduler.constants
    inputs = scheduler.inputs
    self.values = read.map { scheduler.value(of: $0) }
    gradientWrites = scheduler.gradientWrites
    segmentEnds = scheduler.segmentEnds
    roundedParameters = scheduler.roundedParameters
  }

  /// The number of parts of a run between which numbers are summed over all microbatches of a step of training;
  /// 1 where there is nothing to sum.
  public var segmentCount: Int { segmentEnds.count + 1 }

  /// The steps of a segment.
  public func steps(ofSegment segment: Int) -> Range<Int> {
    let start = segment == 0 ? 0 : segmentEnds[segment - 1].stepCount
    return start..<(segment < segmentEnds.count ? segmentEnds[segment].stepCount : steps.count)
  }

  /// Returns the number of steps after which a part of the flat gradient is final.
  ///
  /// - Parameter elements: Indices in the flat gradient.
  /// - Returns: The number of steps; 0 for elements that no step writes.
  public func stepCount(finishing elements: Range<Int>) -> Int {
    gradientWrites.reduce(0) { count, write in
      write.elements.overlaps(elements) ? max(count, write.step + 1) : count
    }
  }
}
