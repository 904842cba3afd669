// The work of every worker in every small step, carried out with symbols in place of gradients.

import DataParallel
import Execution
import Testing

@Suite("Layout of small steps")
struct StepLayoutTests {
  /// Calls `body` with the layout of every small step, with groups of all sizes.
  private static func forEachLayout(_ body: (StepLayout, Team, _ groupSize: Int?) -> Void) {
    for team in Team.all(upTo: 5) {
      for microbatches in 1...9 {
        for groupSize in [nil, 1, 2, 4] {
          let layout = StepLayout(
            groups: team.groups, workerCounts: team.workers, microbatches: microbatches,
            rowCounts: Set(1...2 * microbatches + 1), groupSize: groupSize)
          body(layout, team, groupSize)
        }
      }
    }
  }

  /// Returns what is wrong with the work of one worker.
  private static func fault(
    _ work: StepLayout.Work, of range: Range<Int>, in pattern: StepLayout.Pattern
  ) -> String? {
    var trace = WorkTrace(
      term: { SymbolicSum.term(microbatch: $0, element: 0) }, add: { .sum($0, $1) })
    if let fault = trace.run(work.groups) { return fault }
    for microbatch in 0..<pattern.cut.count {
      let times = trace.computed.count { $0 == microbatch }
      let expected = range.contains(microbatch) && !pattern.cut[microbatch].isEmpty ? 1 : 0
      if times != expected {
        return "microbatch \(microbatch) is computed \(times) times instead of \(expected)"
      }
    }
    for (slot, subtree) in work.subtrees.enumerated() {
      let expected = sum(subtree, in: pattern)
      let found = trace.slots[slot] ?? .nothing
      if let fault = SymbolicSum.fault(of: found, expected: expected) {
        return "slot \(slot): \(fault)"
      }
    }
    for (slot, sum) in trace.slots where slot >= work.subtrees.count {
      return "the sum \(sum) is left in slot \(slot)"
    }
    return nil
  }

  /// The sum of a node by its definition.
  private static func sum(_ node: SumTree.Node, in pattern: StepLayout.Pattern) -> SymbolicSum {
    if node.level == 0 {
      let isPresent = node.index < pattern.cut.count && !pattern.cut[node.index].isEmpty
      return isPresent ? .term(microbatch: node.index, element: 0) : .nothing
    }
    let (left, right) = (sum(node.left, in: pattern), sum(node.right, in: pattern))
    if left == .nothing { return right }
    return right == .nothing ? left : .sum(left, right)
  }

  @Test("has every microbatch with rows computed once, by the worker that the division names")
  func microbatches() {
    StepLayoutTests.forEachLayout { layout, team, _ in
      for pattern in layout.patterns {
        let count = pattern.cut.count
        var owners = Array(repeating: [(rank: Int, worker: Int)](), count: count)
        for rank in 0..<team.size {
          for worker in 0..<team.workers[rank] {
            let work = layout.work(of: rank, worker: worker, in: pattern)
            for microbatch in work.groups.flatMap(\.microbatches) {
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

  @Test("adds in the order of the tree, and leaves the sums of subtrees in the first slots")
  func sums() {
    StepLayoutTests.forEachLayout { layout, team, groupSize in
      for pattern in layout.patterns {
        for rank in 0..<team.size {
          for worker in 0..<team.workers[rank] {
            let fault = StepLayoutTests.fault(
              layout.work(of: rank, worker: worker, in: pattern),
              of: layout.microbatches(of: rank, worker: worker), in: pattern)
            guard let fault else { continue }
            Issue.record(
              "\(fault): worker \(worker) of rank \(rank), groups of \(groupSize ?? 0), \(pattern.cut.rowCount) rows in \(pattern.cut.count) microbatches, \(team)"
            )
          }
        }
      }
    }
  }

  @Test("has in each group the rows of its microbatches, of no more than its size")
  func rows() {
    StepLayoutTests.forEachLayout { layout, team, groupSize in
      for pattern in layout.patterns {
        for rank in 0..<team.size {
          for worker in 0..<team.workers[rank] {
            let own = layout.microbatches(of: rank, worker: worker)
            let groups = layout.work(of: rank, worker: worker, in: pattern).groups
            #expect(groups.count <= 1 || groupSize ?? own.count < own.count)
            for group in groups {
              #expect(group.microbatches.count <= groupSize ?? own.count)
              let rows = group.shape.rows.map {
                group.rows.lowerBound + $0.lowerBound..<group.rows.lowerBound + $0.upperBound
              }
              #expect(rows == group.microbatches.map { pattern.cut[$0] })
              #expect(group.rows.count == group.shape.rowCount)
              #expect(group.slots.count == group.shape.sums.count)
              #expect(layout.shapes(of: rank, worker: worker).contains(group.shape))
            }
          }
        }
      }
    }
  }

  @Test("announces the number of slots that are used, at least one; no more with fewer groups")
  func slotCounts() {
    StepLayoutTests.forEachLayout { layout, team, groupSize in
      for rank in 0..<team.size {
        let announced = layout.slotCounts(of: rank)
        #expect(announced.count == team.workers[rank])
        for (worker, count) in announced.enumerated() {
          var most = 1
          for pattern in layout.patterns {
            let work = layout.work(of: rank, worker: worker, in: pattern)
            let used = (work.groups.flatMap(\.slots).max() ?? -1) + 1
            if used != work.slotCount {
              Issue.record(
                "worker \(worker) of rank \(rank) uses \(used) slots instead of \(work.slotCount), \(team)"
              )
            }
            if groupSize == nil { #expect(used == work.subtrees.count) }
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

  @Test("names no group twice for a worker")
  func shapes() {
    StepLayoutTests.forEachLayout { layout, team, _ in
      for rank in 0..<team.size {
        for worker in 0..<team.workers[rank] {
          let shapes = layout.shapes(of: rank, worker: worker)
          #expect(Set(shapes).count == shapes.count)
        }
      }
    }
  }

  @Test("is checked by what names a microbatch that is lost, or a sum that is overwritten")
  func faults() {
    let layout = StepLayout(
      groups: [[0]], workerCounts: [1], microbatches: 4, rowCounts: [3], groupSize: 2)
    // Microbatch 0 has no rows.
    let pattern = layout.patterns[0]
    let work = layout.work(of: 0, worker: 0, in: pattern)
    func fault(_ change: (Int, StepLayout.Group) -> StepLayout.Group) -> String? {
      let groups = work.groups.enumerated().map(change)
      return StepLayoutTests.fault(
        StepLayout.Work(subtrees: work.subtrees, groups: groups, slotCount: work.slotCount),
        of: 0..<4, in: pattern)
    }
    func group(
      _ group: StepLayout.Group, slots: [Int]? = nil, additions: [SumTree.Addition]? = nil,
      microbatches: [Int]? = nil
    ) -> StepLayout.Group {
      StepLayout.Group(
        microbatches: microbatches ?? group.microbatches, rows: group.rows, shape: group.shape,
        slots: slots ?? group.slots, additions: additions ?? group.additions)
    }
    #expect(work.groups.map(\.microbatches) == [[1], [2, 3]])
    #expect(fault { $1 } == nil)
    #expect(
      fault { group($1, slots: [0]) }
        == "the sum of microbatches [2, 3] is computed into slot 0, which holds 1")
    #expect(fault { group($1, additions: []) } == "slot 0: microbatch 2 is not added")
    #expect(
      fault { $0 == 0 ? group($1, microbatches: [0]) : $1 }
        == "microbatch 0 is computed 1 times instead of 0")
    #expect(
      fault { $0 == 1 ? group($1, microbatches: [3, 2]) : $1 }
        == "slot 0: found (3+2), expected (2+3)")
  }
}
