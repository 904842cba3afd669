public import Graphs
import Kernels
public import Numerics
public import Tensors

/// A graph made ready to run for one number of rows: order, memory and bound kernels.
///
/// Everything is decided when the plan is made. A run goes through a list of calls; it allocates
/// nothing, looks nothing up and creates nothing. A plan belongs to one thread at a time, and to the
/// thread it was made on as far as OpenMP's settings go (see `prepareThread`).
public final class Plan {
  /// The number of rows that the plan computes together.
  public let batch: Int
  /// What is computed, in order: one line per call, such as `affine1: matmul + add + relu`.
  public let program: [String]

  private let arena: Arena
  private let calls: [Call]
  private let constants: FloatBuffer
  private let locations: [Graph.Node: Location]
  private let dataLocations: [String: Location]
  private let labelBuffers: [String: LabelBuffer]
  /// Which part of the flat gradient a call writes.
  private let gradientWrites: [(elements: Range<Int>, call: Int)]
  /// Where segments end, and what is summed over microbatches there.
  private let segmentEnds: [(callCount: Int, totals: [Total])]
  /// The number of calls after which all values that can be read are there.
  public let forwardCallCount: Int

  /// Compiles `graph`.
  ///
  /// - Parameters:
  ///   - graph: The graph; what the asked-for nodes do not need is left out.
  ///   - batch: The number of rows, at least 1.
  ///   - values: Nodes that can be read after a run by ``value(of:)``.
  ///   - gradients: Nodes that a run writes into the flat gradient, each for a named parameter
  ///     of its shape.
  ///     Ranges of the layout without such a node are not written.
  ///   - layout: Where parameters and gradients lie; holds every parameter of the graph.
  ///   - arena: The memory for everything in between.
  ///   - halves: Given, matrix products and convolutions take operands rounded to bfloat16 and add up in
  ///     `Float`; whoever runs the plan calls ``Halves/round(_:)`` first.
  /// - Throws: ``PlanError``.
  /// - Complexity: O(n²) in the nodes that are needed.
  public convenience init(
    _ graph: Graph, batch: Int, values: [Graph.Node],
    gradients: [(parameter: String, node: Graph.Node)] = [], layout: FlatLayout, arena: Arena,
    halves: Halves? = nil
  ) throws(PlanError) {
    try self.init(
      graph, batch: batch, values: values, gradients: gradients, layout: layout, arena: arena,
      halves: halves, fuses: true)
  }

  /// Compiles `graph`, and computes node by node if it is not to fuse any.
  package init(
    _ graph: Graph, batch: Int, values: [Graph.Node],
    gradients: [(parameter: String, node: Graph.Node)] = [], layout: FlatLayout, arena: Arena,
    halves: Halves? = nil, fuses: Bool
  ) throws(PlanError) {
    precondition(batch > 0, "a plan for \(batch) rows")
    precondition(
      Set(gradients.map(\.parameter)).count == gradients.count, "two gradients for one parameter")
    prepareThread()
    var builder: PlanBuilder
    let read: [Graph.Node]
    do {
      let legal = try graph.legalised(keeping: values + gradients.map(\.node))
      read = Array(legal.kept[..<values.count])
      builder = PlanBuilder(
        graph: legal.graph, batch: batch, values: read,
        gradients: zip(gradients, legal.kept[values.count...]).map { ($0.parameter, $1) },
        layout: layout, halves: halves, fuses: fuses)
    } catch {
      throw .graph(error)
    }
    try builder.build()
    arena.reserve(count: builder.arenaCount)
    self.batch = batch
    self.arena = arena
    calls = builder.calls
    program = builder.calls.map(\.label)
    constants = builder.makeConstants()
    locations = Dictionary(
      zip(values, read).map { ($0, builder.location(of: $1)) }, uniquingKeysWith: { a, _ in a })
    dataLocations = builder.dataLocations
    labelBuffers = builder.labelBuffers
    gradientWrites = builder.gradientWrites
    segmentEnds = builder.segmentEnds
    forwardCallCount = builder.forwardCallCount
  }

  /// Where the rows of a data node are written before a run, row-major.
  ///
  /// - Parameter name: The name of a data node that the plan needs; nil is returned for any other.
  /// - Returns: The first element; the memory stays where it is.
  public func data(_ name: String) -> UnsafeMutablePointer<Float>? {
    dataLocations[name].map { arena.base + $0.offset }
  }

  /// Where the class numbers of a label node are written before a run.
  ///
  /// - Parameter name: The name of a label node that the plan needs; nil is returned for any other.
  /// - Returns: The first class number; the memory stays where it is.
  public func labels(_ name: String) -> UnsafeMutablePointer<Int32>? {
    labelBuffers[name]?.pointer
  }

  /// Where the value of a node is after a run; in place, valid until the next run in the arena.
  ///
  /// - Parameter node: One of the nodes that the plan was made for; not a parameter, whose value is
  ///   in the memory given to the run, and not class numbers.
  /// - Returns: The first element, row-major.
  public func value(of node: Graph.Node) -> UnsafePointer<Float> {
    guard let location = locations[node] else {
      preconditionFailure("the plan was not asked for the value of node \(node.index)")
    }
    switch location.memory {
    case .arena: return UnsafePointer(arena.base + location.offset)
    case .constants: return UnsafePointer(constants.pointer + location.offset)
    case .parameters, .gradient:
      preconditionFailure("the value of node \(node.index) is in memory of the caller")
    }
  }

  /// Returns the number of calls after which a part of the flat gradient is final.
  ///
  /// - Parameter elements: Indices in the flat gradient.
  /// - Returns: The number of calls; 0 for elements that no call writes.
  public func callCount(finishing elements: Range<Int>) -> Int {
    gradientWrites.reduce(0) { count, write in
      write.elements.overlaps(elements) ? max(count, write.call + 1) : count
    }
  }

  /// Computes everything once.
  ///
  /// - Parameters:
  ///   - parameters: A flat vector of the layout; read only.
  ///   - gradient: A flat vector of the layout; the ranges of the gradients are written. Not used
  ///     by a plan without gradients.
  ///   - draws: What random numbers depend on.
  ///   - valuesAreThere: Called once, when all values that can be read have been computed.
  /// - Complexity: No allocation after the first plan in the arena has run.
  public func run(
    parameters: UnsafeMutablePointer<Float>, gradient: UnsafeMutablePointer<Float>,
    draws: Draws = Draws(), valuesAreThere: () -> Void = {}
  ) {
    let bases = bases(parameters, gradient, draws)
    for index in 0..<forwardCallCount { calls[index].body(bases) }
    valuesAreThere()
    for index in forwardCallCount..<calls.count { calls[index].body(bases) }
  }

  /// Computes everything once, and lets the caller look in between.
  ///
  /// - Parameters:
  ///   - parameters: A flat vector of the layout; read only.
  ///   - gradient: A flat vector of the layout; see ``callCount(finishing:)``.
  ///   - draws: What random numbers depend on.
  ///   - valuesAreThere: Called once, when all values that can be read have been computed.
  ///   - afterCall: Gets the number of calls that have been made, after each of them.
  /// - Complexity: No allocation after the first plan in the arena has run.
  public func run(
    parameters: UnsafeMutablePointer<Float>, gradient: UnsafeMutablePointer<Float>,
    draws: Draws, valuesAreThere: () -> Void, afterCall: (Int) -> Void
  ) {
    let bases = bases(parameters, gradient, draws)
    if forwardCallCount == 0 { valuesAreThere() }
    for index in calls.indices {
      calls[index].body(bases)
      afterCall(index + 1)
      if index + 1 == forwardCallCount { valuesAreThere() }
    }
  }

  // MARK: Segments.

  /// The number of parts of a run between which numbers are summed over all microbatches of a step; 1
  /// where there is nothing to sum.
  ///
  /// The whole plan in one run is right where there is one microbatch.
  public var segmentCount: Int { segmentEnds.count + 1 }

  /// Whether all values that can be read have been computed when a segment has been run.
  public func valuesAreThere(after segment: Int) -> Bool {
    (segment < segmentEnds.count ? segmentEnds[segment].callCount : calls.count)
      >= forwardCallCount
  }

  /// How many numbers are summed over microbatches after a segment, the same for any number of rows.
  ///
  /// - Parameter segment: Not the last one.
  /// - Returns: At least 1.
  public func totalCount(after segment: Int) -> Int {
    segmentEnds[segment].totals.reduce(0) { $0 + $1.count }
  }

  /// Computes one segment; those before it have been run, and their totals set.
  ///
  /// - Parameters:
  ///   - segment: The segment, within `0 ..< segmentCount`.
  ///   - parameters: A flat vector of the layout; read only.
  ///   - gradient: A flat vector of the layout, the same for all segments of a run.
  ///   - draws: What random numbers depend on.
  ///   - valuesAreThere: Called in one of the segments, when all values that can be read have been
  ///     computed.
  ///   - afterCall: Gets the number of calls that have been made in this run, after each of them.
  /// - Complexity: No allocation after the first plan in the arena has run.
  public func run(
    segment: Int, parameters: UnsafeMutablePointer<Float>,
    gradient: UnsafeMutablePointer<Float>, draws: Draws, valuesAreThere: () -> Void = {},
    afterCall: (Int) -> Void = { _ in }
  ) {
    let bases = bases(parameters, gradient, draws)
    let start = segment == 0 ? 0 : segmentEnds[segment - 1].callCount
    let end = segment < segmentEnds.count ? segmentEnds[segment].callCount : calls.count
    for index in start..<end {
      calls[index].body(bases)
      if index + 1 == forwardCallCount { valuesAreThere() }
      afterCall(index + 1)
    }
  }

  /// Writes what this microbatch adds to the sums after a segment.
  public func copyTotals(after segment: Int, into vector: UnsafeMutablePointer<Float>) {
    var place = vector
    for total in segmentEnds[segment].totals {
      place.update(from: total.pointer(arena: arena.base), count: total.count)
      place += total.count
    }
  }

  /// Takes the sums over all microbatches after a segment.
  public func setTotals(after segment: Int, from vector: UnsafePointer<Float>) {
    var place = vector
    for total in segmentEnds[segment].totals {
      total.pointer(arena: arena.base).update(from: place, count: total.count)
      place += total.count
    }
  }

  private func bases(
    _ parameters: UnsafeMutablePointer<Float>, _ gradient: UnsafeMutablePointer<Float>,
    _ draws: Draws
  ) -> Bases {
    Bases(
      arena: arena.base, parameters: parameters, gradient: gradient, constants: constants.pointer,
      draws: draws)
  }
}

/// One bound kernel.
struct Call {
  /// What it computes, for people.
  let label: String
  let body: (Bases) -> Void
}

/// Owned memory for the choices of a max pooling.
final class ChoiceBuffer {
  let pointer: UnsafeMutablePointer<UInt8>

  init(byteCount: Int) {
    pointer = .allocate(capacity: byteCount)
    pointer.initialize(repeating: 0, count: byteCount)
  }

  deinit { pointer.deallocate() }
}

/// Owned memory for class numbers.
final class LabelBuffer {
  let pointer: UnsafeMutablePointer<Int32>

  init(count: Int) {
    pointer = .allocate(capacity: count)
    pointer.initialize(repeating: 0, count: count)
  }

  deinit { pointer.deallocate() }
}
