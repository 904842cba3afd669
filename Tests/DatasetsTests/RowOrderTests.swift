import Datasets
import Testing

@Suite("Order of rows")
struct RowOrderTests {
  private func rows(_ order: RowOrder) -> [Int] { (0..<order.count).map { order[$0] } }

  @Test("every row once, for every count up to 300 and some large ones")
  func bijection() {
    for count in Array(1...300) + [1023, 1024, 1025, 60_000, 65_537] {
      let order = RowOrder(count: count, seed: 7, epoch: 3)
      var seen = [Bool](repeating: false, count: count)
      for row in rows(order) {
        #expect(!seen[row], "row \(row) of \(count) twice")
        seen[row] = true
      }
    }
  }

  @Test("any index of billions of rows is found at once")
  func large() {
    let order = RowOrder(count: 1 << 40 + 12345, seed: 1, epoch: 0)
    let found = Set((0..<1000).map { order[$0 * 1_000_003] })
    #expect(found.count == 1000 && found.allSatisfy { (0..<order.count).contains($0) })
  }

  @Test("differs by seed and by epoch, and is the same for the same")
  func keys() {
    let first = rows(RowOrder(count: 100, seed: 1, epoch: 0))
    #expect(rows(RowOrder(count: 100, seed: 1, epoch: 0)) == first)
    #expect(rows(RowOrder(count: 100, seed: 1, epoch: 1)) != first)
    #expect(rows(RowOrder(count: 100, seed: 2, epoch: 0)) != first)
    #expect(rows(RowOrder(count: 100, seed: 1 << 40 + 1, epoch: 0)) != first)
  }

  @Test("is the file's own order without shuffling")
  func identity() {
    #expect(rows(RowOrder(count: 9, seed: 1, epoch: 5, shuffle: false)) == Array(0..<9))
  }

  @Test("is written into what a seed means: these numbers never change")
  func pinned() {
    #expect(rows(RowOrder(count: 10, seed: 1, epoch: 0)) == [2, 1, 5, 4, 7, 6, 0, 3, 9, 8])
    let many = RowOrder(count: 1000, seed: 1, epoch: 0)
    #expect((0..<10).map { many[$0] } == [160, 714, 353, 796, 115, 89, 876, 745, 891, 580])
  }

  @Test(
    "every row is first, and last, about as often as any other", arguments: [2, 3, 5, 8, 13, 100])
  func uniform(count: Int) {
    let trials = 400 * count
    for place in [0, count - 1] {
      var counts = [Double](repeating: 0, count: count)
      for epoch in 0..<trials {
        counts[RowOrder(count: count, seed: 11, epoch: epoch)[place]] += 1
      }
      let chiSquared = counts.reduce(0) { $0 + ($1 - 400) * ($1 - 400) / 400 }
      // Mean count − 1, deviation √(2(count − 1)): five deviations is one failure in a million.
      let degrees = Double(count - 1)
      #expect(chiSquared < degrees + 5 * (2 * degrees).squareRoot() + 5)
    }
  }

  @Test("every row is at every place about as often, for every small count", arguments: 2...40)
  func uniformPlaces(count: Int) {
    // Fifty seeds, since one alone might be a lucky one.
    let trials = 20_000
    var counts = [Double](repeating: 0, count: count * count)
    for trial in 0..<trials {
      let order = RowOrder(count: count, seed: UInt64(trial % 50), epoch: trial / 50)
      for place in 0..<count { counts[place * count + order[place]] += 1 }
    }
    let expected = Double(trials) / Double(count)
    let sum = counts.reduce(0) { $0 + ($1 - expected) * ($1 - expected) / expected }
    // Rows and places have sums of their own, which leaves (count − 1)² degrees, of a little less each.
    let degrees = Double((count - 1) * (count - 1))
    let chiSquared = sum * Double(count - 1) / Double(count)
    #expect(chiSquared < degrees + 4 * (2 * degrees).squareRoot() + 8, "\(chiSquared)")
  }

  @Test("every order of a few rows is about as frequent", arguments: 2...7)
  func uniformOrders(count: Int) {
    let orderCount = (1...count).reduce(1, *)
    let trials = max(20_000, 20 * orderCount)
    var counts: [[Int]: Double] = [:]
    for trial in 0..<trials {
      let order = RowOrder(count: count, seed: UInt64(trial % 50), epoch: trial / 50)
      counts[rows(order), default: 0] += 1
    }
    #expect(counts.count == orderCount)
    let expected = Double(trials) / Double(orderCount)
    let chiSquared = counts.values.reduce(0) { $0 + ($1 - expected) * ($1 - expected) / expected }
    let degrees = Double(orderCount - 1)
    #expect(chiSquared < degrees + 4 * (2 * degrees).squareRoot() + 8, "\(chiSquared)")
  }

  @Test("neighbours in an epoch are no neighbours in the file")
  func mixed() {
    let order = rows(RowOrder(count: 10_000, seed: 3, epoch: 0))
    let near = zip(order, order.dropFirst()).filter { abs($0 - $1) <= 10 }.count
    // 20 of 10,000 places are near by chance: 20 pairs expected.
    #expect(near < 45)
    let rising = zip(order, order.dropFirst()).filter { $0 < $1 }.count
    #expect(abs(rising - 5000) < 200)
  }
}

@Suite("Split for validation")
struct RowSelectionTests {
  @Test("no row in both parts and none left out")
  func complete() throws {
    for count in [2, 3, 10, 100, 1500] {
      for fraction in [0.001, 0.1, 0.5, 0.999] {
        let (train, validation) = try RowSelection.split(count, validation: fraction, seed: 9)
        let all =
          (0..<train.count).map { train[$0] } + (0..<validation.count).map { validation[$0] }
        #expect(all.sorted() == Array(0..<count))
        let expected = Int((fraction * Double(count)).rounded())
        #expect(validation.count == min(max(1, expected), count - 1))
      }
    }
  }

  @Test("is fixed by the seed")
  func seeds() throws {
    func rows(_ seed: UInt64) throws -> [Int] {
      let validation = try RowSelection.split(1000, validation: 0.1, seed: seed).validation
      return (0..<validation.count).map { validation[$0] }
    }
    #expect(try rows(1) == rows(1))
    #expect(try rows(1) != rows(2))
  }

  @Test("fractions that leave nothing are refused")
  func refused() {
    for fraction in [0, 1, -0.1, 1.5, Double.nan] {
      let error = #expect(throws: DatasetError.self) {
        try RowSelection.split(10, validation: fraction, seed: 1)
      }
      #expect(
        error?.description
          == "validation fraction \(fraction), expected a number between 0 and 1")
    }
    #expect(throws: DatasetError.badFraction(found: 0.5, rows: 1)) {
      try RowSelection.split(1, validation: 0.5, seed: 1)
    }
  }

  @Test("all rows are in their order")
  func all() {
    let rows = RowSelection.all(of: 4)
    #expect((0..<rows.count).map { rows[$0] } == [0, 1, 2, 3])
  }
}
