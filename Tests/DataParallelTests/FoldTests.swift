// Every way to divide the work of small steps, followed with symbols in place of numbers: a fault is named by
// the microbatch, not by a digest that differs.

import DataParallel
import TestSupport
import Testing

/// A sum as it was added: leaves are microbatches.
private indirect enum Fold: Equatable, CustomStringConvertible {
  case leaf(Int)
  case sum(Fold, Fold)

  var description: String {
    switch self {
    case .leaf(let leaf): "\(leaf)"
    case .sum(let left, let right): "(\(left)+\(right))"
    }
  }

  var leaves: [Int] {
    switch self {
    case .leaf(let leaf): [leaf]
    case .sum(let left, let right): left.leaves + right.leaves
    }
  }

  /// Node (k, i) of the tree by its definition; nil where nothing is present.
  init?(level: Int, index: Int, _ isPresent: [Bool]) {
    if level == 0 {
      guard index < isPresent.count, isPresent[index] else { return nil }
      self = .leaf(index)
      return
    }
    let left = Fold(level: level - 1, index: 2 * index, isPresent)
    let right = Fold(level: level - 1, index: 2 * index + 1, isPresent)
    switch (left, right) {
    case (let left?, let right?): self = .sum(left, right)
    case (let one?, nil), (nil, let one?): self = one
    case (nil, nil): return nil
    }
  }

  /// Names what is wrong with `found`: microbatches that are missing or added twice, or the first sum that
  /// is added in another order.
  static func fault(of found: Fold?, expected: Fold?) -> String? {
    guard found != expected else { return nil }
    let (leaves, wanted) = (found?.leaves ?? [], expected?.leaves ?? [])
    for leaf in wanted where !leaves.contains(leaf) { return "microbatch \(leaf) is not added" }
    for leaf in leaves where !wanted.contains(leaf) { return "microbatch \(leaf) has no rows" }
    for leaf in wanted where leaves.count(where: { $0 == leaf }) > 1 {
      return "microbatch \(leaf) is added \(leaves.count { $0 == leaf }) times"
    }
    guard case .sum(let left, let right)? = found, case .sum(let first, let second)? = expected,
      left.leaves == first.leaves
    else {
      return
        "found \(found.map(String.init) ?? "nothing"), expected \(expected.map(String.init) ?? "nothing")"
    }
    return fault(of: left, expected: first) ?? fault(of: right, expected: second)
  }
}

/// A vector slot of a worker, of a rank's fold, or of what was received.
private struct Slots {
  var values: [Fold?]

  mutating func add(_ addition: SumTree.Addition) throws {
    guard let left = values[addition.target], let right = values[addition.source] else {
      throw Fault(
        "an addition of slot \(addition.source) to slot \(addition.target), one of which is empty")
    }
    values[addition.target] = .sum(left, right)
  }
}

private struct Fault: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// A way to divide the work: ranks by groups that share memory, and the workers of each rank.
struct Team: CustomStringConvertible, Sendable {
  let groups: [[Int]]
  let workers: [Int]
  var size: Int { workers.count }
  var description: String { "groups \(groups) with workers \(workers)" }

  /// All divisions of up to `most` ranks into groups of neighbours, with one to three workers each, and some
  /// whose groups are not neighbours.
  static func all(upTo most: Int) -> [Team] {
    var divisions: [[[Int]]] = [[[0, 2], [1, 3]], [[0, 3], [1, 2, 4]], [[0], [1, 3], [2]]]
    for size in 1...most {
      for cuts in 0..<1 << (size - 1) {
        var groups = [[0]]
        for rank in 1..<size {
          if cuts >> (rank - 1) & 1 == 1 {
            groups.append([rank])
          } else {
            groups[groups.count - 1].append(rank)
          }
        }
        divisions.append(groups)
      }
    }
    return divisions.flatMap { groups in
      let size = groups.joined().count
      return [{ _ in 1 }, { _ in 2 }, { _ in 3 }, { 1 + $0 % 3 }].map { (count: (Int) -> Int) in
        Team(groups: groups, workers: (0..<size).map(count))
      }
    }
  }
}

@Suite("Every division of a small step")
struct FoldTests {
  private static let teams = Team.all(upTo: 5)

  @Test(
    "has every row in one microbatch, in order, and no two microbatches that differ by two rows")
  func rows() {
    for count in 1...12 {
      for rowCount in 0...40 {
        let cut = MicrobatchCut(rowCount: rowCount, count: count)
        var owners = Array(repeating: [Int](), count: rowCount)
        for microbatch in 0..<count {
          for row in cut[microbatch] { owners[row].append(microbatch) }
        }
        for (row, owner) in owners.enumerated() where owner.count != 1 {
          Issue.record("row \(row) of \(rowCount) is in microbatches \(owner) of \(count)")
        }
        #expect(owners.joined().elementsEqual(owners.joined().sorted()))
        let sizes = (0..<count).map { cut[$0].count }
        #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1, "\(rowCount) rows in \(count)")
      }
    }
  }

  @Test("has every microbatch at one worker, in the order of groups, ranks and workers")
  func microbatches() {
    for team in FoldTests.teams {
      for count in 1...12 {
        let division = WorkDivision(groups: team.groups, microbatches: count)
        var order: [Int] = []
        for rank in team.groups.joined() {
          for worker in 0..<team.workers[rank] {
            order += division.leaves(of: rank, worker: worker, of: team.workers[rank])
          }
        }
        for leaf in 0..<count where order.count(where: { $0 == leaf }) != 1 {
          let times = order.count { $0 == leaf }
          Issue.record("microbatch \(leaf) of \(count) is computed \(times) times, \(team)")
        }
        #expect(order == Array(0..<count), "\(team)")
      }
    }
  }

  @Test("adds every microbatch once, in the order of the tree")
  func order() throws {
    for team in FoldTests.teams {
      for count in 1...9 {
        for rowCount in [1, 2, count - 1, count, 2 * count + 1] where rowCount > 0 {
          let cut = MicrobatchCut(rowCount: rowCount, count: count)
          let tree = SumTree(cut)
          let expected = Fold(
            level: tree.root.level, index: tree.root.index, tree.isPresent)
          let division = WorkDivision(groups: team.groups, microbatches: count)
          let found = try FoldTests.fold(tree, division, team)
          if let fault = Fold.fault(of: found, expected: expected) {
            Issue.record("\(fault): \(rowCount) rows in \(count) microbatches, \(team)")
            return
          }
        }
      }
    }
  }

  /// Adds as a step does: workers their leaves, a group its workers' sums, and the owner those of the groups.
  private static func fold(
    _ tree: SumTree, _ division: WorkDivision, _ team: Team
  ) throws -> Fold? {
    var received = Slots(values: [])
    var ofGroups: [SumTree.Node: Int] = [:]
    for (group, members) in team.groups.enumerated() {
      var pieces = Slots(values: [])
      var ofWorkers: [SumTree.Node: Int] = [:]
      for member in members {
        for worker in 0..<team.workers[member] {
          let nodes = tree.maximalNodes(
            in: division.leaves(of: member, worker: worker, of: team.workers[member]))
          // Both ways of going about it.
          let (instructions, count) =
            worker % 2 == 0 ? tree.sequentialSum(of: nodes) : tree.parallelSum(of: nodes)
          var slots = Slots(values: Array(repeating: nil, count: count))
          for instruction in instructions {
            switch instruction {
            case .compute(let leaf, let slot): slots.values[slot] = .leaf(leaf)
            case .add(let addition): try slots.add(addition)
            }
          }
          for (slot, node) in nodes.enumerated() {
            ofWorkers[node] = pieces.values.count
            pieces.values.append(slots.values[slot])
          }
        }
      }
      for node in tree.maximalNodes(in: division.leaves(ofGroup: group)) {
        let fold = tree.fold(to: node, from: ofWorkers)
        for addition in fold.additions { try pieces.add(addition) }
        guard let slot = fold.slot else { continue }
        ofGroups[node] = received.values.count
        received.values.append(pieces.values[slot])
      }
    }
    let whole = tree.fold(to: tree.root, from: ofGroups)
    for addition in whole.additions { try received.add(addition) }
    return whole.slot.flatMap { received.values[$0] }
  }

  @Test("names a microbatch that is lost, added twice or in another place")
  func faults() {
    let right = Fold(level: 2, index: 0, [true, true, true, true])
    func fault(_ found: Fold?) -> String? { Fold.fault(of: found, expected: right) }
    #expect(fault(right) == nil)
    #expect(fault(.sum(.sum(.leaf(0), .leaf(1)), .leaf(3))) == "microbatch 2 is not added")
    #expect(
      fault(.sum(.sum(.leaf(0), .leaf(1)), .sum(.sum(.leaf(2), .leaf(2)), .leaf(3))))
        == "microbatch 2 is added 2 times")
    #expect(
      fault(.sum(.sum(.leaf(0), .leaf(1)), .sum(.leaf(3), .leaf(2))))
        == "found (3+2), expected (2+3)")
    #expect(
      fault(.sum(.leaf(0), .sum(.leaf(1), .sum(.leaf(2), .leaf(3)))))
        == "found (0+(1+(2+3))), expected ((0+1)+(2+3))")
  }

  @Test("has every element of every bucket with one rank, on borders of the alignment")
  func elements() {
    for team in FoldTests.teams where team.workers.allSatisfy({ $0 == 1 }) {
      for alignment in [1, 4] {
        for count in 0...13 {
          for length in [nil, 1, 3, 8] {
            let division = ElementDivision(
              groups: team.groups, count: alignment * count, bucketLength: length,
              alignment: alignment)
            var owners = Array(repeating: [Int](), count: division.count)
            for bucket in division.buckets {
              for rank in 0..<team.size {
                let own = division.elements(of: rank, in: bucket)
                for element in own { owners[element].append(rank) }
                #expect(own.isEmpty || own.lowerBound % alignment == 0)
              }
            }
            for (element, ranks) in owners.enumerated() where ranks.count != 1 {
              Issue.record(
                "element \(element) of \(division.count) is updated by ranks \(ranks), \(team)")
            }
            // The last elements come first: a backward pass ends with the first ones.
            #expect(division.buckets.reversed().joined().elementsEqual(0..<division.count))
          }
        }
      }
    }
  }

  @Test("has every element sent once by every other group to the rank that updates it")
  func messages() {
    for team in FoldTests.teams where team.workers.allSatisfy({ $0 == 1 }) {
      for count in 0...13 {
        let division = ElementDivision(
          groups: team.groups, count: count, bucketLength: 5, alignment: 1)
        for bucket in division.buckets {
          for receiver in 0..<team.size {
            for (group, members) in team.groups.enumerated() {
              let isOwn = members.contains(receiver)
              for element in bucket {
                let senders = members.filter {
                  division.elements(from: $0, to: receiver, in: bucket).contains(element)
                }
                let isOwned = division.elements(of: receiver, in: bucket).contains(element)
                if senders.count != (isOwned && !isOwn ? 1 : 0) {
                  Issue.record(
                    "element \(element) of \(count) comes to rank \(receiver) from \(senders) of group \(group), \(team)"
                  )
                }
              }
            }
          }
        }
      }
    }
  }

  @Test("shares things out in order, none with two more than another has")
  func shares() {
    for count in 0...40 {
      for owners in 1...12 {
        let shares = (0..<owners).map { evenShare(of: count, owner: $0, owners: owners) }
        #expect(shares.joined().elementsEqual(0..<count), "\(count) among \(owners)")
        let sizes = shares.map(\.count)
        #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1, "\(count) among \(owners)")
      }
    }
  }
}
