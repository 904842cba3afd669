// Every way to divide the work of small steps: a fault is named by the row, the microbatch or the element.

import DataParallel
import Testing

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
struct SmallDivisionTests {
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
    for team in SmallDivisionTests.teams {
      for count in 1...12 {
        let division = WorkDivision(groups: team.groups, microbatches: count)
        var order: [Int] = []
        for rank in team.groups.joined() {
          for worker in 0..<team.workers[rank] {
            order += division.microbatches(of: rank, worker: worker, of: team.workers[rank])
          }
        }
        for microbatch in 0..<count where order.count(where: { $0 == microbatch }) != 1 {
          let times = order.count { $0 == microbatch }
          Issue.record("microbatch \(microbatch) of \(count) is computed \(times) times, \(team)")
        }
        #expect(order == Array(0..<count), "\(team)")
      }
    }
  }

  @Test("has every element of every bucket with one rank, on borders of the alignment")
  func elements() {
    for team in SmallDivisionTests.teams where team.workers.allSatisfy({ $0 == 1 }) {
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
    for team in SmallDivisionTests.teams where team.workers.allSatisfy({ $0 == 1 }) {
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

  @Test("gives every owner a part, in order, none with two more than another has")
  func parts() {
    for count in 0...40 {
      for owners in 1...12 {
        let parts = (0..<owners).map { evenPart(of: count, owner: $0, owners: owners) }
        #expect(parts.joined().elementsEqual(0..<count), "\(count) among \(owners)")
        let sizes = parts.map(\.count)
        #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1, "\(count) among \(owners)")
      }
    }
  }
}
