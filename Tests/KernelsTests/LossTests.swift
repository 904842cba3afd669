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

  @Test("count the largest logit, ties to the lowest class")
  func counting() {
    let logits: [Float] = [1, 3, 3, /**/ 5, 5, 5, /**/ -1, -2, 0, /**/ 0, .nan, 1]
    let labels: [Int32] = [1, 1, 2, 2]
    #expect(Loss.correct(logits: logits, labels: labels, rows: 4, classes: 3) == 3)
    var classes = [Int32](repeating: -1, count: 4)
    Loss.argmax(logits, rows: 4, classes: 3, into: &classes)
    #expect(classes == [1, 0, 2, 2])
    Loss.argmax([4, 2], rows: 2, classes: 1, into: &classes)
    #expect(classes[..<2] == [0, 0])
  }

  @Test("count the labels among the largest logits, ties to the lowest class")
  func countingAmongLargest() {
    // The places of the labels, from 0: 0, 1, 2, 3, 1.
    let logits: [Float] = [
      4, 1, 2, 3, /**/ 4, 9, 2, 3, /**/ 5, 5, 5, 1, /**/ 1, 1, 1, 1, /**/ 7, 8, -1, 0,
    ]
    let labels: [Int32] = [0, 0, 2, 3, 0]
    for (count, expected) in [(1, 1), (2, 3), (3, 4), (4, 5)] {
      let found = Loss.correct(
        logits: logits, labels: labels, rows: 5, classes: 4, amongLargest: count)
      #expect(found == expected, "\(count)")
    }
    #expect(Loss.correct(logits: logits, labels: labels, rows: 5, classes: 4) == 1)
    let broken: [Float] = [.nan, 1, .nan, /**/ .nan, 1, 0]
    #expect(
      Loss.correct(logits: broken, labels: [0, 1], rows: 2, classes: 3, amongLargest: 2) == 1)
  }
}
