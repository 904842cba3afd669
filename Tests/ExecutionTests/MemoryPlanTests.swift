import Execution
import TestSupport
import Testing

@Suite("Memory plan")
struct MemoryPlanTests {
  /// Returns true if no two values that are alive together overlap, and all lie within.
  private func isSound(_ values: [MemoryPlan.Value], _ plan: MemoryPlan) -> Bool {
    for (i, a) in values.enumerated() {
      guard plan.offsets[i] % MemoryPlan.alignment == 0, plan.offsets[i] >= 0,
        plan.offsets[i] + a.count <= plan.count
      else { return false }
      for (j, b) in values.enumerated().dropFirst(i + 1) {
        let areAliveTogether = a.first <= b.last && b.first <= a.last
        let overlap =
          plan.offsets[i] < plan.offsets[j] + b.count
          && plan.offsets[j] < plan.offsets[i] + a.count
        if areAliveTogether && overlap { return false }
      }
    }
    return true
  }

  @Test("values alive together never overlap: all of three values over three steps")
  func exhaustive() {
    var choices: [MemoryPlan.Value] = []
    for count in [0, 1, 16, 17] {
      for first in 0..<3 {
        for last in first..<3 {
          choices.append(MemoryPlan.Value(count: count, first: first, last: last))
        }
      }
    }
    for a in choices {
      for b in choices {
        for c in choices {
          let values = [a, b, c]
          if !isSound(values, MemoryPlan(values)) { Issue.record("\(values)") }
        }
      }
    }
  }

  @Test("random values, and never more memory than all of them", arguments: 0..<200)
  func random(seed: Int) {
    var numbers = TestNumbers("memory plan", "\(seed)")
    let values = (0..<numbers.below(40) + 1).map { _ in
      let first = numbers.below(20) - 1
      return MemoryPlan.Value(
        count: numbers.below(100), first: first, last: first + numbers.below(8))
    }
    let plan = MemoryPlan(values)
    #expect(isSound(values, plan))
    #expect(plan.count <= values.reduce(0) { $0 + ($1.count + 15) / 16 * 16 })
    // Nothing can do with less than what is alive at one step.
    let peak = (-1..<30).map { step in
      values.filter { $0.first <= step && step <= $0.last }.reduce(0) { $0 + $1.count }
    }
    #expect(plan.count >= peak.max() ?? 0)
    #expect(MemoryPlan(values).offsets == plan.offsets)
  }

  @Test("values one after another share their memory")
  func chain() {
    let values = (0..<10).map { MemoryPlan.Value(count: 100, first: $0, last: $0 + 1) }
    #expect(MemoryPlan(values).count == 224)
    #expect(MemoryPlan([]).count == 0)
  }
}
