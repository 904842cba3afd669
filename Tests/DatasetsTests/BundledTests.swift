import Datasets
import Tensors
import TestSupport
import Testing

@Suite("Bundled data sets")
struct BundledTests {
  private let folder =
    #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/datasets"

  @Test(
    "open as the table in their README says",
    arguments: [
      ("digits", 1500, 297, [1, 8, 8], "labels", 10), ("iris", 120, 30, [4], "labels", 3),
      ("diabetes", 342, 100, [10], "responses", 1), ("spiral", 194, 192, [2], "labels", 2),
    ])
  func table(
    name: String, rows: Int, testRows: Int, shape: [Int], kind: String, count: Int
  ) throws {
    for (file, rows) in [("\(name).h5", rows), ("\(name)-test.h5", testRows)] {
      let description = try Dataset.open("\(folder)/\(file)").describe()
      #expect(description.rowCount == rows)
      #expect(description.sampleShape == shape)
      #expect(description.targets == kind)
      #expect(description.classes?.count ?? description.responseCount == count)
    }
  }

  @Test("digits are numbers from 0 to 1, with every class in both files")
  func digits() throws {
    for file in ["digits.h5", "digits-test.h5"] {
      let description = try Dataset.open("\(folder)/\(file)").describe()
      #expect(description.arrays[0].range?.minimum == 0)
      #expect(description.arrays[0].range?.maximum == 1)
      #expect(
        description.classes?.allSatisfy { $0.rowCount > 20 && $0.name == "\($0.label)" } == true)
    }
    // The first image of the UCI set, a zero: its second row of pixels.
    let first = try Dataset.open("\(folder)/digits.h5")
    #expect(try first.samples([0])[8..<16].map { $0 * 16 } == [0, 0, 13, 15, 10, 15, 5, 0])
    #expect(first.labels([0, 1, 2]) == [0, 1, 2])
  }

  @Test("the spirals are three turns apart by half a turn, and inside the unit circle")
  func spiral() throws {
    for file in ["spiral.h5", "spiral-test.h5"] {
      let dataset = try Dataset.open("\(folder)/\(file)")
      let points = try dataset.samples(Array(0..<dataset.rowCount))
      #expect(dataset.labels([0, 1, 2, 3]) == [0, 1, 0, 1])
      for row in stride(from: 0, to: dataset.rowCount, by: 2) {
        let (x, y) = (points[2 * row], points[2 * row + 1])
        #expect(points[2 * row + 2] == -x && points[2 * row + 3] == -y)
        let place = Double(row) / 2 + (file == "spiral.h5" ? 0 : 0.5)
        #expect(abs(Double(x * x + y * y).squareRoot() - (104 - place) / 104) < 1e-6)
      }
    }
  }

  @Test(
    "standardised samples have mean 0 and deviation 1 per feature", arguments: ["iris", "diabetes"])
  func standardised(name: String) throws {
    let dataset = try Dataset.open("\(folder)/\(name).h5")
    let values = try dataset.samples(Array(0..<dataset.rowCount))
    let featureCount = dataset.sampleShape.count
    for feature in 0..<featureCount {
      let column = stride(from: feature, to: values.count, by: featureCount).map {
        Double(values[$0])
      }
      let mean = column.reduce(0, +) / Double(column.count)
      let variance = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(column.count)
      #expect(abs(mean) < 1e-4 && abs(variance - 1) < 1e-4, "feature \(feature)")
    }
  }
}
