// The plans of small steps, carried out with symbols in place of numbers: a fault is named by the rank, the
// element and the microbatch, not by a digest that differs.

import DataParallel
import Testing

@Suite("Every fold of a small step")
struct FoldPlanTests {
  /// Counts of elements and lengths of buckets: one bucket, several, ranks without elements, none at all.
  private static let vectors: [(count: Int, bucketLength: Int?)] = [
    (7, nil), (11, 4), (2, 1), (0, nil), (13, 6),
  ]

  @Test(
    "gives each element to one rank, the sum of the microbatches in the order of the tree",
    arguments: GradientFormat.allCases)
  func sums(format: GradientFormat) throws {
    for team in Team.all(upTo: 5) {
      for count in 1...9 {
        // With more rows all microbatches are present, and the plans are those of `count` rows.
        for rowCount in 1...count {
          let cut = MicrobatchCut(rowCount: rowCount, count: count)
          for vector in FoldPlanTests.vectors {
            let step = SymbolicStep(
              team, cut, count: vector.count, bucketLength: vector.bucketLength, format)
            if let fault = try step.fault() ?? step.stagingFault() {
              Issue.record("\(fault): \(step)")
              return
            }
          }
        }
      }
    }
  }

  private static let team = Team(groups: [[0], [1, 2]], workers: [2, 1, 1])

  private func fault(_ tampering: SymbolicStep.Tampering?) throws -> String? {
    try SymbolicStep(
      FoldPlanTests.team, MicrobatchCut(rowCount: 12, count: 6), count: 6, bucketLength: nil,
      .float
    ).fault(tampering)
  }

  @Test("names the element, the rank and the microbatch of a fold that is wrong")
  func faults() throws {
    #expect(try fault(nil) == nil)
    #expect(
      try fault(.subtotals)
        == "element 0 on rank 0: found (((1+0)+(4+5))+(2+3)), expected (((0+1)+(2+3))+(4+5))")
    #expect(try fault(.loss(rank: 1)) == "element 2 on rank 1: microbatch 0 is not added")
    #expect(
      try fault(.shift(rank: 1)) == "element 2 on rank 1: element 3 of microbatch 0 is added")
  }

  @Test("names a microbatch that is lost, added twice or added in another order")
  func symbols() {
    func sum(_ left: SymbolicSum, _ right: SymbolicSum) -> SymbolicSum { .sum(left, right) }
    func term(_ microbatch: Int) -> SymbolicSum { .term(microbatch: microbatch, element: 5) }
    let right = sum(sum(term(0), term(1)), sum(term(2), term(3)))
    func fault(_ found: SymbolicSum) -> String? { SymbolicSum.fault(of: found, expected: right) }
    #expect(fault(right) == nil)
    #expect(fault(sum(sum(term(0), term(1)), term(3))) == "microbatch 2 is not added")
    #expect(
      fault(sum(sum(term(0), term(1)), sum(sum(term(2), term(2)), term(3))))
        == "microbatch 2 is added 2 times")
    #expect(
      fault(sum(sum(term(0), term(1)), sum(term(3), term(2)))) == "found (3+2), expected (2+3)")
    #expect(
      fault(sum(term(0), sum(term(1), sum(term(2), term(3)))))
        == "found (0+(1+(2+3))), expected ((0+1)+(2+3))")
  }
}

@Suite("Message tags")
struct MessageTagTests {
  @Test("of different kinds never meet, and are no more than MPI guarantees")
  func ranges() {
    var owners: [Int: MessageTag] = [:]
    for kind in MessageTag.allCases {
      for bucket in 0..<100_000 {
        let tag = kind.value(ofBucket: bucket)
        guard owners[tag, default: kind] == kind, (0...32767).contains(tag) else {
          Issue.record("tag \(tag) of bucket \(bucket), \(kind)")
          return
        }
        owners[tag] = kind
      }
    }
  }

  @Test("of neighbouring buckets differ")
  func neighbours() {
    for kind in MessageTag.allCases where kind != .trial {
      #expect(Set((0..<8000).map(kind.value)).count == 8000)
    }
  }
}
