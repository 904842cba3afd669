import Foundation
import Kernels
import Testing

@Suite("Rowwise kernels")
struct RowwiseTests {
  static let columns = [1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 31, 33, 100, 1000]

  @Test("agree with Double, whatever the number of rows and the alignment", arguments: columns)
  func formulas(columns: Int) {
    for rows in [1, 2, 15, 16, 17, 33] {
      let a = numbers(rows * columns, scale: 8)
      let b = numbers(rows * columns, stream: 2)
      var (softmax, logSoftmax): ([Double], [Double]) = ([], [])
      var (logSumExp, norm, distances): ([Double], [Double], [Double]) = ([], [], [])
      for i in 0..<rows {
        let x = a[i * columns..<(i + 1) * columns].map(Double.init)
        let y = b[i * columns..<(i + 1) * columns].map(Double.init)
        let sum = x.reduce(0) { $0 + exp($1) }
        softmax += x.map { exp($0) / sum }
        logSoftmax += x.map { $0 - log(sum) }
        logSumExp.append(log(sum))
        norm.append(x.reduce(0) { $0 + $1 * $1 })
        distances.append(zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / 3)
      }
      for offset in [0, 5] {
        let (x, y) = (Vector(a, offset: offset), Vector(b, offset: 1))
        let c = Vector(count: rows * columns, offset: offset + 1)
        let r = Vector(count: rows, offset: offset)
        Rowwise.softmax(x.pointer, rows: rows, columns: columns, into: c.pointer)
        #expect(distance(c.values, softmax) < 5e-7)
        #expect(c.isIntact)
        Rowwise.logSoftmax(x.pointer, rows: rows, columns: columns, into: c.pointer)
        #expect(distance(c.values, logSoftmax) < 5e-7)
        Rowwise.logSumExp(x.pointer, rows: rows, columns: columns, into: r.pointer)
        #expect(distance(r.values, logSumExp) < 5e-7)
        Rowwise.squaredNorm(x.pointer, rows: rows, columns: columns, into: r.pointer)
        #expect(distance(r.values, norm) < 5e-7)
        Rowwise.squaredDistance(
          x.pointer, y.pointer, rows: rows, columns: columns, scale: 1 / 3, into: r.pointer)
        #expect(distance(r.values, distances) < 5e-7)
        #expect(r.isIntact)
        Rowwise.softmax(x.pointer, rows: rows, columns: columns, into: x.pointer)
        #expect(distance(x.values, softmax) < 5e-7, "in place")
      }
    }
  }

  @Test("of softmax give a row the same bits among any others", arguments: [2, 10, 16, 17, 40])
  func rowsAreAlone(columns: Int) {
    let a = numbers(37 * columns, scale: 5)
    let (x, all) = (Vector(a), Vector(count: 37 * columns))
    Rowwise.softmax(x.pointer, rows: 37, columns: columns, into: all.pointer)
    for row in [0, 15, 16, 36] {
      let one = Vector(count: columns)
      Rowwise.softmax(x.pointer + row * columns, rows: 1, columns: columns, into: one.pointer)
      #expect(one.bits == Array(all.bits[row * columns..<(row + 1) * columns]))
    }
  }

  @Test("of softmax neither overflow nor lose small ones", arguments: [3, 20])
  func extremes(columns: Int) {
    var a = [Float](repeating: -1e30, count: columns)
    a[1] = 1e30
    let (x, c) = (Vector(a), Vector(count: columns))
    Rowwise.softmax(x.pointer, rows: 1, columns: columns, into: c.pointer)
    #expect(c.values == (0..<columns).map { $0 == 1 ? 1 : 0 })
    a[0] = -.infinity
    a[2] = .nan
    let y = Vector(a)
    Rowwise.softmax(y.pointer, rows: 1, columns: columns, into: c.pointer)
    #expect(c.values.allSatisfy { $0.isNaN })
  }
}
