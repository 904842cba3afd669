import Foundation
import Kernels
import Testing

@Suite("Losses")
struct LossTests {
  @Test("and their gradient agree with Double", arguments: [1, 2, 3, 9, 10, 15, 16, 17, 33, 100])
  func crossEntropy(classes: Int) {
    for rows in [1, 5, 16, 17, 35] {
      let logits = numbers(rows * classes, scale: 6)
      let cotangent = numbers(rows, stream: 3)
      let labels = (0..<rows).map { Int32($0 * 7 % classes) }
      var (loss, gradient, oneHot): ([Double], [Double], [Float]) = ([], [], [])
      for i in 0..<rows {
        let x = logits[i * classes..<(i + 1) * classes].map(Double.init)
        let sum = x.reduce(0) { $0 + exp($1) }
        loss.append(log(sum) - x[Int(labels[i])])
        for j in 0..<classes {
          let hit = j == Int(labels[i])
          gradient.append(Double(cotangent[i]) * (exp(x[j]) / sum - (hit ? 1 : 0)))
          oneHot.append(hit ? 1 : 0)
        }
      }
      for offset in [0, 3] {
        let x = Vector(logits, offset: offset)
        let c = Vector(cotangent, offset: offset + 1)
        let r = Vector(count: rows, offset: 2)
        let g = Vector(count: rows * classes, offset: offset)
        Loss.softmaxCrossEntropy(
          logits: x.pointer, labels: labels, rows: rows, classes: classes, into: r.pointer)
        #expect(distance(r.values, loss) < 1e-6)
        Loss.softmaxCrossEntropyGradient(
          cotangent: c.pointer, logits: x.pointer, labels: labels, rows: rows, classes: classes,
          into: g.pointer)
        #expect(distance(g.values, gradient) < 1e-6)
        #expect(r.isIntact && g.isIntact)
        let (both, losses) = (Vector(count: rows * classes, offset: 1), Vector(count: rows))
        Loss.softmaxCrossEntropyGradient(
          cotangent: c.pointer, logits: x.pointer, labels: labels, rows: rows, classes: classes,
          losses: losses.pointer, into: both.pointer)
        #expect(both.values == g.values && losses.values == r.values && losses.isIntact)
        Loss.oneHot(labels, rows: rows, classes: classes, into: g.pointer)
        #expect(g.values == oneHot)
        Loss.softmaxCrossEntropyGradient(
          cotangent: c.pointer, logits: x.pointer, labels: labels, rows: rows, classes: classes,
          losses: losses.pointer, into: x.pointer)
        #expect(x.values == both.values && losses.values == r.values, "in place")
      }
    }
  }

  @Test("stay finite for large logits", arguments: [2, 20])
  func large(classes: Int) {
    var logits = [Float](repeating: 0, count: classes)
    logits[0] = 1e4
    let (x, r) = (Vector(logits), Vector(count: 1))
    Loss.softmaxCrossEntropy(
      logits: x.pointer, labels: [1], rows: 1, classes: classes, into: r.pointer)
    #expect(r.values == [1e4])
    Loss.softmaxCrossEntropy(
      logits: x.pointer, labels: [0], rows: 1, classes: classes, into: r.pointer)
    #expect(r.values == [0])
  }
}
