import Execution
import Graphs
import Numerics
import Tensors
import TestSupport
import Testing

@Suite("Dependence on rows")
struct RowDependenceTests {
  private static let rows = 3

  /// The values of a sample for one row alone.
  private func values(_ sample: OperationSample, row: Int) -> [String: Tensor] {
    var values: [String: Tensor] = [:]
    for operand in sample.operands {
      guard let name = sample.graph[operand].name, let whole = sample.values[name] else { continue }
      guard sample.graph.shape(of: operand).extents.first == .batch else {
        values[name] = whole
        continue
      }
      let width = whole.values.count / RowDependenceTests.rows
      values[name] = Tensor(
        shape: Shape([1] + whole.shape.extents.dropFirst()),
        values: Array(whole.values[row * width..<(row + 1) * width]))
    }
    return values
  }

  @Test("what is said of each operation is so: rows alone, and sums of rows")
  func operations() throws {
    var claims: [RowDependence: Int] = [:]
    for sample in try operationSamples(batch: RowDependenceTests.rows, width: 4) {
      let kind = OperationKind(sample.graph[sample.output].operation)
      guard kind != .parameter, kind != .labels else { continue }
      let layout = FlatLayout(
        sample.graph.parameters.map {
          (sample.graph[$0].name ?? "", sample.graph.shape(of: $0).resolved(batch: 1))
        })
      let schedule = try Schedule(
        sample.graph, group: MicrobatchGroup(rowCount: RowDependenceTests.rows),
        values: [sample.output],
        layout: layout, preferences: BackendPreferences())
      // Others are several steps, of which each has its own dependence.
      guard schedule.steps.count == 1 else { continue }
      let dependence = schedule.steps[0].rows
      claims[dependence, default: 0] += 1
      guard dependence != .byMicrobatch else { continue }
      func evaluate(_ values: [String: Tensor], batch: Int, firstRow: Int = 0) throws -> [Double] {
        try sample.graph.evaluate(
          [sample.output], with: values, batch: batch,
          draws: Draws(seed: 1, step: 1, firstRow: firstRow))[0].values
      }
      let whole = try evaluate(sample.values, batch: RowDependenceTests.rows)
      let alone = try (0..<RowDependenceTests.rows).map {
        try evaluate(values(sample, row: $0), batch: 1, firstRow: $0)
      }
      if dependence == .rowByRow {
        #expect(alone.flatMap { $0 } == whole, "\(sample)")
      } else {
        for (index, value) in whole.enumerated() {
          #expect(isClose(alone.reduce(0) { $0 + $1[index] }, value, tolerance: 1e-12), "\(sample)")
        }
      }
    }
    #expect(claims[.rowByRow, default: 0] > 60 && claims[.sumOverRows, default: 0] > 5, "\(claims)")
  }

  @Test("what mixes rows, or depends on their number, is not row by row")
  func mixing() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 3])
    let square = try graph.matmul(x, x, transposingRHS: true)
    let turned = try graph.reshape(x, to: [3, .batch])
    let mixed = [
      square, try graph.add(.exp, [turned]), try graph.add(.transpose, [x]),
      try graph.add(.softmax, [graph.add(.transpose, [x])]),
      try graph.add(.scale(Factor(2, batchPower: -1)), [x]),
      try graph.add(.mean(axes: [0]), [x]), try graph.add(.variance(axes: [0]), [x]),
    ]
    for node in mixed {
      let schedule = try Schedule(
        graph, group: MicrobatchGroup(rowCount: 4), values: [node], layout: FlatLayout([]),
        preferences: BackendPreferences())
      #expect(schedule.steps.last?.rows == .byMicrobatch, "\(schedule)")
    }
  }
}
