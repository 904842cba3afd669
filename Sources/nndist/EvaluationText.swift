// Evaluations as text for people.
import Training

extension Evaluation {
  /// One line such as `accuracy 287/297 (0.9663), loss 0.1302`, or with loss and errors for responses.
  var text: String {
    let lossText = "loss \(formatted(loss, digits: 4))"
    guard let correct, let accuracy else {
      let errorText = errors.map {
        ", mean squared error \(formatted($0.meanSquared, significant: 5)), mean absolute error "
          + formatted($0.meanAbsolute, significant: 5)
      }
      return "\(lossText)\(errorText ?? "") over \(counted(count, "row"))"
    }
    var text = "accuracy \(correct)/\(count) (\(formatted(accuracy, digits: 4)))"
    if let top, let topAccuracy {
      text += ", top \(top.outputs) \(top.correct)/\(count) (\(formatted(topAccuracy, digits: 4)))"
    }
    return "\(text), \(lossText)"
  }
}

extension EvaluationReport {
  /// The maximum number of classes or responses to show one by one.
  private static let shownCount = 20

  /// Returns the details of the result as tables, each after an empty line.
  ///
  /// - Parameter classNames: The names of the classes, if the data have them.
  /// - Returns: The lines.
  func detailLines(classNames: [String]?) -> [String] {
    switch detail {
    case .classes(let confusion):
      let names = (0..<confusion.classCount).map { label in
        let name = classNames.flatMap { label < $0.count ? " \($0[label])" : nil }
        return "\(label)\(name ?? "")"
      }
      let isLarge = confusion.classCount > EvaluationReport.shownCount
      return classLines(confusion, names)
        + (isLarge ? pairLines(confusion, names) : matrixLines(confusion, names))
    case .responses(let results): return responseLines(results)
    }
  }

  private func classLines(_ confusion: Confusion, _ names: [String]) -> [String] {
    var shown = confusion.classes
    var lines = [""]
    if shown.count > EvaluationReport.shownCount {
      lines.append(
        "the \(EvaluationReport.shownCount) classes of \(shown.count) with the lowest F1; --json has "
          + "all")
      shown.sort { ($0.f1 ?? .infinity, $0.label) < ($1.f1 ?? .infinity, $1.label) }
      shown = Array(shown.prefix(EvaluationReport.shownCount))
    }
    var rows = [["class", "rows", "predicted", "correct", "precision", "recall", "F1"]]
    for result in shown {
      rows.append(
        [names[result.label]] + [result.support, result.predicted, result.correct].map { "\($0)" }
          + [result.precision, result.recall, result.f1].map(share))
    }
    let averages = confusion.macroAverages
    rows.append(
      ["mean", "", "", ""] + [averages.precision, averages.recall, averages.f1].map(share))
    return lines + table(rows, rightAligned: [1, 2, 3, 4, 5, 6])
  }

  private func matrixLines(_ confusion: Confusion, _ names: [String]) -> [String] {
    let rows = zip(names, confusion.matrix).map { name, counts in [name] + counts.map { "\($0)" } }
    let header = ["class \\ taken for"] + names.indices.map { "\($0)" }
    return [""] + table([header] + rows, rightAligned: Set(1...names.count))
  }

  private func pairLines(_ confusion: Confusion, _ names: [String]) -> [String] {
    let pairs = confusion.mostConfused(EvaluationReport.shownCount)
    guard !pairs.isEmpty else { return [] }
    let rows = pairs.map { ["\($0.count)", names[$0.label], names[$0.prediction]] }
    return ["", "classes most often taken for another"]
      + table([["rows", "class", "taken for"]] + rows, rightAligned: [0])
  }

  private func responseLines(_ results: ResponseResults) -> [String] {
    let shown = results.responses.prefix(EvaluationReport.shownCount)
    var rows = [["response", "mean squared", "its root", "mean absolute", "R²"]]
    func row(_ name: String, _ result: ResponseResults.Result) -> [String] {
      [name]
        + [result.meanSquared, result.rootMeanSquared, result.meanAbsolute].map {
          formatted($0, significant: 5)
        } + [share(result.r2)]
    }
    for (index, result) in shown.enumerated() { rows.append(row("\(index)", result)) }
    if results.responses.count > 1 { rows.append(row("all", results.all)) }
    var lines = [""]
    if shown.count < results.responses.count {
      lines.append(
        "the first \(shown.count) of \(results.responses.count) responses; --json has all")
    }
    return lines + table(rows, rightAligned: [1, 2, 3, 4])
  }

  private func share(_ value: Double?) -> String { value.map { formatted($0, digits: 4) } ?? "–" }
}
