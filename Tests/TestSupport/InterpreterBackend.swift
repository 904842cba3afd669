// A second backend: every step in double precision by the interpreter of graphs, or by loops.

public import Execution
import Graphs
import Numerics
import Tensors

/// Runs schedules step by step, as naively as can be; knows nothing of any kernel.
public struct InterpreterBackend: Backend {
  private let preferences: BackendPreferences

  /// Takes preferences: those of a backend that fuses nothing, or those of another backend.
  public init(_ preferences: BackendPreferences = BackendPreferences()) {
    self.preferences = preferences
  }

  /// Returns true for operands that are left as they are.
  public func supports(_ precision: OperandPrecision) -> Bool { precision == .float }

  /// The preferences given.
  public func preferences(for precision: OperandPrecision) -> BackendPreferences { preferences }

  /// Loops over single elements.
  public var arithmetic: any FlatArithmetic { PlainArithmetic() }

  /// The interpreter, which is the same everywhere.
  public func environment(for precision: OperandPrecision) -> Environment {
    Environment([Environment.Fact("arithmetic", key: "arithmetic", "double precision")])
  }

  /// No machine in particular.
  public var machine: Machine {
    Machine(isa: "interpreter", caches: "none", library: "none", libraryVersion: "0")
  }

  /// Nothing to check.
  public func requireVariables() throws(PlanError) {}

  /// Nothing to do.
  public func prepareThread() {}

  /// Makes an arena.
  public func makeWorkspace(_ precision: OperandPrecision) -> any Workspace {
    InterpreterWorkspace(preferences)
  }
}

private final class InterpreterWorkspace: Workspace {
  let preferences: BackendPreferences
  private(set) var byteCount = 0
  private(set) lazy var arena = FloatBuffer(count: byteCount / 4)

  init(_ preferences: BackendPreferences) { self.preferences = preferences }

  func compile(_ schedule: Schedule) throws(PlanError) -> any Program {
    byteCount = max(byteCount, 4 * schedule.memory[.arena, default: 0])
    return InterpreterProgram(schedule, self)
  }

  func prepare(parameters: UnsafePointer<Float>) {}
}

/// A schedule with its memory, gone through step by step.
final class InterpreterProgram: Program {
  let schedule: Schedule
  private let workspace: InterpreterWorkspace
  private let constants: FloatBuffer
  private let statistics: FloatBuffer
  private let labels: UnsafeMutableBufferPointer<Int32>
  var indices: [UInt8]
  /// The memory of the caller in this run.
  private var parameters: UnsafeMutablePointer<Float>?
  private var gradient: UnsafeMutablePointer<Float>?
  private var draws = Draws()
  /// The rows of the step that is computed.
  private(set) var rowCount = 0

  fileprivate init(_ schedule: Schedule, _ workspace: InterpreterWorkspace) {
    self.schedule = schedule
    self.workspace = workspace
    func count(_ region: Region) -> Int { schedule.memory[region, default: 0] }
    constants = FloatBuffer(count: count(.constants))
    statistics = FloatBuffer(count: count(.statistics))
    labels = .allocate(capacity: count(.labels))
    labels.initialize(repeating: 0)
    indices = Array(repeating: 0, count: count(.argmaxIndices))
    for constant in schedule.constants {
      for index in 0..<constant.count {
        constants.pointer[constant.location.offset + index] = Float(
          constant.numbers[index % constant.numbers.count])
      }
    }
  }

  deinit { labels.deallocate() }

  func input(at location: Location) -> UnsafeMutableRawPointer {
    location.region == .labels
      ? UnsafeMutableRawPointer(labels.baseAddress.unsafelyUnwrapped + location.offset)
      : UnsafeMutableRawPointer(floats(at: location))
  }

  func value(at location: Location) -> UnsafePointer<Float> {
    UnsafePointer(floats(at: location))
  }

  func copyOut(
    _ values: [Value], ofMicrobatch microbatch: Int, into vector: UnsafeMutablePointer<Float>
  ) {
    var place = vector
    for element in values.flatMap({ read(schedule.group.part(of: $0, microbatch)).values }) {
      place.pointee = Float(element)
      place += 1
    }
  }

  func copyIn(_ values: [Value], from vector: UnsafePointer<Float>) {
    var place = vector
    for value in values {
      let count = shape(value).count
      for microbatch in schedule.group.rows.indices {
        let part = schedule.group.part(of: value, microbatch)
        write((0..<count).map { Double(place[$0]) }, to: part.location)
      }
      place += count
    }
  }

  func run(
    _ steps: Range<Int>, parameters: UnsafeMutablePointer<Float>,
    gradients: GradientVectors, draws: Draws, milestones: [Int], reached: (Int) -> Void
  ) {
    self.parameters = parameters
    if steps.lowerBound == 0, milestones.first == 0 { reached(0) }
    for step in steps {
      do {
        try compute(schedule.steps[step], gradients, draws)
      } catch {
        preconditionFailure("\(schedule.steps[step].label): \(error)")
      }
      if milestones.contains(step + 1) { reached(step + 1) }
    }
  }

  // MARK: Memory.

  func shape(_ value: Value) -> Shape { value.shape.resolved(batch: rowCount) }

  func floats(at location: Location) -> UnsafeMutablePointer<Float> {
    let base: UnsafeMutablePointer<Float>? =
      switch location.region {
      case .arena: workspace.arena.pointer
      case .constants: constants.pointer
      case .statistics: statistics.pointer
      case .parameters: parameters
      case .gradient: gradient
      case .labels, .argmaxIndices, .roundedParameters, .roundedOperands: nil
      }
    guard let base else { preconditionFailure("\(location) holds no floats") }
    return base + location.offset
  }

  func read(_ value: Value) -> Tensor {
    let (shape, start) = (shape(value), value.location)
    guard start.region != .labels else {
      return Tensor(
        shape: shape, values: (0..<shape.count).map { Double(labels[start.offset + $0]) })
    }
    let pointer = floats(at: start)
    return Tensor(shape: shape, values: (0..<shape.count).map { Double(pointer[$0]) })
  }

  func write(_ numbers: [Double], to location: Location) {
    let target = floats(at: location)
    precondition(
      location.offset + numbers.count <= schedule.memory[location.region, default: 0],
      "\(numbers.count) elements at \(location) of \(schedule)")
    for (index, number) in numbers.enumerated() { target[index] = Float(number) }
  }

  // MARK: Steps.

  /// Computes a step for all rows, or for each microbatch and what it adds to the gradients.
  private func compute(_ step: Step, _ gradients: GradientVectors, _ draws: Draws) throws {
    let group = schedule.group
    gradient = gradients[0]
    self.draws = draws
    rowCount = group.rowCount
    guard step.scope == .microbatch else {
      try perform(step)
      return
    }
    for (index, sum) in group.sums.enumerated() {
      gradient = gradients[index]
      var terms: [[Double]] = []
      for (microbatch, additions) in zip(sum.microbatches, sum.additions) {
        rowCount = group.rows[microbatch].count
        self.draws = draws.advanced(by: group.rows[microbatch].lowerBound)
        let part = group.part(of: step, microbatch)
        try perform(part)
        guard part.results[0].location.region == .gradient else { continue }
        terms.append(read(part.results[0]).values)
        for _ in 0..<additions {
          let right = terms.removeLast()
          terms.append(zip(terms.removeLast(), right).map { Double(Float($0) + Float($1)) })
        }
      }
      if let sum = terms.first { write(sum, to: step.results[0].location) }
    }
  }

  private func perform(_ step: Step) throws {
    switch step.action {
    case .operation(let operation):
      if try performNormalization(operation, step) { return }
      try evaluate(step) { graph, inputs in
        if case .dropoutMask(let mask) = operation {
          return [graph.dropoutMask(mask, shape: step.results[0].shape)]
        }
        return [try graph.add(operation, inputs)]
      }
    case .product(let product):
      precondition(product.precision == .float, "rounded operands")
      try evaluate(step) { graph, inputs in
        var node = try graph.add(product.operation, Array(inputs[..<2]))
        if product.hasBias { node = try graph.add(.add, [node, inputs[2]]) }
        if let activation = product.activation { node = try graph.add(activation, [node]) }
        return [node]
      }
    case .chain(let chain): try perform(chain, step)
    case .maxPoolWithIndices(let pooling, let throughRelu):
      poolWithIndices(step, pooling, throughRelu: throughRelu)
    case .maxPoolGradientFromIndices(let pooling): poolGradientFromIndices(step, pooling)
    case .crossEntropyWithGradient:
      try evaluate(step) { graph, inputs in
        let gradient = [inputs[2], inputs[0], inputs[1]]
        return [
          try graph.add(.softmaxCrossEntropy, Array(inputs[..<2])),
          try graph.add(.softmaxCrossEntropyGradient, gradient),
        ]
      }
    case .statistics(let part, let normalization): takeStatistics(step, part, normalization)
    case .copy: write(read(step.operands[0]).values, to: step.results[0].location)
    }
  }

  /// Evaluates a small graph of the operands, and writes its values to the results.
  private func evaluate(
    _ step: Step, _ body: (inout Graph, [Graph.Node]) throws -> [Graph.Node]
  ) throws {
    try evaluate(step.operands, body, into: step.results)
  }

  private func evaluate(
    _ operands: [Value], _ body: (inout Graph, [Graph.Node]) throws -> [Graph.Node],
    into results: [Value]
  ) throws {
    var graph = Graph()
    var inputs: [Graph.Node] = []
    var values: [String: Tensor] = [:]
    for (index, operand) in operands.enumerated() {
      let name = "\(index)"
      values[name] = read(operand)
      inputs.append(
        operand.location.region == .labels
          ? try graph.labels(name, shape: operand.shape)
          : try graph.data(name, shape: operand.shape))
    }
    let nodes = try body(&graph, inputs)
    let found = try graph.evaluate(
      nodes, with: values, batch: rowCount, draws: draws)
    for (value, result) in zip(found, results) { write(value.values, to: result.location) }
  }

  private func perform(_ chain: Chain, _ step: Step) throws {
    let results = chain.links.compactMap { link -> (index: Int, value: Value)? in
      guard case .whole(let value) = chain.places[link.result] else { return nil }
      return (link.result, value)
    }
    // Operands are the places that no link writes.
    let written = Set(chain.links.map(\.result))
    var operands: [(index: Int, value: Value)] = []
    for (index, place) in chain.places.enumerated() where !written.contains(index) {
      switch place {
      case .whole(let value), .repeated(let value, _): operands.append((index, value))
      case .slot: preconditionFailure("\(step.label): an operand in a slot")
      }
    }
    try evaluate(
      operands.map(\.value),
      { graph, inputs in
        var nodes = Dictionary(uniqueKeysWithValues: zip(operands.map(\.index), inputs))
        for link in chain.links {
          nodes[link.result] = try graph.add(link.operation, link.operands.compactMap { nodes[$0] })
        }
        return results.compactMap { nodes[$0.index] }
      }, into: results.map(\.value))
  }
}
