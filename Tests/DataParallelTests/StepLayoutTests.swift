// The work of every worker in every small step, carried out with lists of microbatches in place of gradients.

import DataParallel
import Testing

/// The slots of a worker, each with the microbatches whose sum it holds.
private struct SlotTrace {
  var slots: [Int: [Int]] = [:]
  var computed: [Int] = []

  /// Carries out instructions; returns what is wrong with them.
  mutating func run(_ instructions: [SumTree.Instruction]) -> String? {
    for instruction in instructions {
      switch instruction {
      case .compute(let microbatch, let slot):
        if let sum = slots[slot] {
          return "microbatch \(microbatch) is computed into slot \(slot), which holds \(sum)"
        }
        slots[slot] = [microbatch]
        computed.append(microbatch)
      case .add(let addition):
        guard let target = slots[addition.target], let source = slots[addition.source] else {
          return "slot \(addition.source) is added to slot \(addition.target), one of them empty"
        }
        guard addition.target != addition.source else {
          return "the sum of microbatches \(source) is added to itself"
        }
        slots[addition.target] = target + source
        slots[addition.source] = nil
      }
    }
    return nil
  }
}

@Suite("Layout of small steps")
struct StepLayoutTests {
  /// Calls `body` with the layout of every small step, segmented and not.
  private static func forEachLayout(_ body: (StepLayout, Team) -> Void) {
    for team in Team.all(upTo: 5) {
      for microbatches in 1...9 {
        for isSegmented in [false, true] {
          let layout = StepLayout(
            groups: team.groups, workerCounts: team.workers, microbatches: microbatches,
            rowCounts: Set(1...2 * microbatches + 1), isSegmented: isSegmented)
          body(layout, team)
        }
      }
    }
  }

  /// Returns what is wrong with the work of one worker.
  private static func fault(
    _ work: StepLayout.Work, of range: Range<Int>, in pattern: StepLayout.Pattern
  ) -> String? {
    var trace = SlotTrace()
    if let fault = trace.run(work.instructions) { return fault }
    for microbatch in 0..<pattern.cut.count {
      let times = trace.computed.count { $0 == microbatch }
      let expected = range.contains(microbatch) && !pattern.cut[microbatch].isEmpty ? 1 : 0
      if times != expected {
        return "microbatch \(microbatch) is computed \(times) times instead of \(expected)"
      }
    }
    for (slot, subtree) in work.subtrees.enumerated() {
      let expected = subtree.leaves.filter {
        $0 < pattern.cut.count && !pattern.cut[$0].isEmpty
      }
      let found = trace.slots[slot] ?? []
      if found != expected {
        return "slot \(slot) ends with the sum of microbatches \(found) instead of \(expected)"
      }
    }
    for (slot, sum) in trace.slots where slot >= work.subtrees.count {
      return "the sum of microbatches \(sum) is left in slot \(slot)"
    }
    return nil
  }

  @Test("has every microbatch with rows computed once, by the worker that the division names")
  func microbatches() {
    StepLayoutTests.forEachLayout { layout, team in
      for pattern in layout.patterns {
        let count = pattern.cut.count
        var owners = Array(repeating: [(rank: Int, worker: Int)](), count: count)
        for rank in 0..<team.size {
          for worker in 0..<team.workers[rank] {
            let work = layout.work(of: rank, worker: worker, in: pattern)
            for case .compute(let microbatch, _) in work.instructions {
              owners[microbatch].append((rank, worker))
            }
          }
        }
        for (microbatch, found) in owners.enumerated() {
          let named = (0..<team.size).flatMap { rank in
            (0..<team.workers[rank]).map { (rank, $0) }
          }.filter {
            layout.division.microbatches(of: $0.0, worker: $0.1, of: team.workers[$0.0])
              .contains(microbatch) && !pattern.cut[microbatch].isEmpty
          }
          guard !found.elementsEqual(named, by: ==) else { continue }
          Issue.record(
            "microbatch \(microbatch) of \(count) is computed by \(found) instead of \(named): \(pattern.cut.rowCount) rows, \(team)"
          )
        }
      }
    }
  }

  @Test("uses each slot for one sum at a time, and leaves the sums of subtrees in the first slots")
  func slots() {
    StepLayoutTests.forEachLayout { layout, team in
      for pattern in layout.patterns {
        for rank in 0..<team.size {
          for worker in 0..<team.workers[rank] {
            let fault = StepLayoutTests.fault(
              layout.work(of: rank, worker: worker, in: pattern),
              of: layout.microbatches(of: rank, worker: worker), in: pattern)
            guard let fault else { continue }
            Issue.record(
              "\(fault): worker \(worker) of rank \(rank), \(pattern.cut.rowCount) rows in \(pattern.cut.count) microbatches, \(team)"
            )
          }
        }
      }
    }
  }

  @Test("announces the number of slots that are used, at least one")
  func slotCounts() {
    StepLayoutTests.forEachLayout { layout, team in
      for rank in 0..<team.size {
        let announced = layout.slotCounts(of: rank)
        #expect(announced.count == team.workers[rank])
        for (worker, count) in announced.enumerated() {
          var most = 1
          for pattern in layout.patterns {
            let work = layout.work(of: rank, worker: worker, in: pattern)
            let used =
              work.instructions.map { instruction in
                switch instruction {
                case .compute(_, let slot): slot + 1
                case .add(let addition): max(addition.target, addition.source) + 1
                }
              }.max() ?? 0
            if used != work.slotCount {
              Issue.record(
                "worker \(worker) of rank \(rank) uses \(used) slots instead of \(work.slotCount), \(team)"
              )
            }
            most = max(most, used)
          }
          if count != most {
            Issue.record(
              "worker \(worker) of rank \(rank) has \(count) slots and uses \(most), \(team)")
          }
        }
      }
    }
  }

  @Test("compiles each runner for the rows of its microbatches")
  func runnerSizes() {
    StepLayoutTests.forEachLayout { layout, team in
      for rank in 0..<team.size {
        for worker in 0..<team.workers[rank] {
          let own = layout.microbatches(of: rank, worker: worker)
          let sizes = layout.runnerSizes(of: rank, worker: worker)
          #expect(sizes.count == (layout.isSegmented ? own.count : 1))
          #expect(!sizes.contains { $0.contains(0) })
          for pattern in layout.patterns {
            for microbatch in own where !pattern.cut[microbatch].isEmpty {
              let runner = layout.isSegmented ? microbatch - own.lowerBound : 0
              if !sizes[runner].contains(pattern.cut[microbatch].count) {
                Issue.record(
                  "microbatch \(microbatch) has \(pattern.cut[microbatch].count) rows, its runner is compiled for \(sizes[runner]), \(team)"
                )
              }
            }
          }
        }
      }
    }
  }

  @Test("is checked by what names a microbatch that is lost, computed twice or overwritten")
  func faults() {
    let layout = StepLayout(
      groups: [[0]], workerCounts: [1], microbatches: 4, rowCounts: [3], isSegmented: false)
    // Microbatch 0 has no rows.
    let pattern = layout.patterns[0]
    let work = layout.work(of: 0, worker: 0, in: pattern)
    func fault(_ instructions: [SumTree.Instruction]) -> String? {
      StepLayoutTests.fault(
        StepLayout.Work(
          subtrees: work.subtrees, instructions: instructions, slotCount: work.slotCount),
        of: 0..<4, in: pattern)
    }
    #expect(fault(work.instructions) == nil)
    #expect(
      fault([.compute(leaf: 1, slot: 0), .compute(leaf: 2, slot: 0)])
        == "microbatch 2 is computed into slot 0, which holds [1]")
    #expect(
      fault([.compute(leaf: 1, slot: 0), .compute(leaf: 3, slot: 1)])
        == "microbatch 2 is computed 0 times instead of 1")
    #expect(
      fault([.compute(leaf: 0, slot: 0)]) == "microbatch 0 is computed 1 times instead of 0")
    #expect(
      fault((1...3).map { .compute(leaf: $0, slot: $0 - 1) })
        == "slot 0 ends with the sum of microbatches [1] instead of [1, 2, 3]")
  }
}
