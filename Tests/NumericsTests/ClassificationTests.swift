import Numerics
import Testing

@Suite("Class scores")
struct ClassificationTests {
  @Test("count the largest logit, ties to the lowest class")
  func counting() {
    let logits: [Float] = [1, 3, 3, /**/ 5, 5, 5, /**/ -1, -2, 0, /**/ 0, .nan, 1]
    let labels: [Int32] = [1, 1, 2, 2]
    #expect(Classification.correct(logits: logits, labels: labels, rows: 4, classes: 3) == 3)
    var classes = [Int32](repeating: -1, count: 4)
    Classification.argmax(logits, rows: 4, classes: 3, into: &classes)
    #expect(classes == [1, 0, 2, 2])
    Classification.argmax([4, 2], rows: 2, classes: 1, into: &classes)
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
      let found = Classification.correct(
        logits: logits, labels: labels, rows: 5, classes: 4, amongLargest: count)
      #expect(found == expected, "\(count)")
    }
    #expect(Classification.correct(logits: logits, labels: labels, rows: 5, classes: 4) == 1)
    let broken: [Float] = [.nan, 1, .nan, /**/ .nan, 1, 0]
    #expect(
      Classification.correct(logits: broken, labels: [0, 1], rows: 2, classes: 3, amongLargest: 2)
        == 1)
  }
}
