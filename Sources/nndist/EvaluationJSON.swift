// Evaluations as JSON for programs.
import Runs
import Training

extension EvaluationReport {
  /// The maximum number of classes for which the whole confusion matrix is written.
  private static let matrixLimit = 1000

  /// Returns the result and its details as fields of a JSON object; undefined values are null.
  ///
  /// - Parameter classNames: The names of the classes, if the data have them.
  /// - Returns: The fields, in a fixed order.
  func fields(classNames: [String]?) -> [(key: String, value: JSONValue)] {
    var fields: [(key: String, value: JSONValue)] = [
      ("loss", .double(evaluation.loss)), ("correct", .integer(evaluation.correct)),
      ("count", .integer(evaluation.count)),
    ]
    switch detail {
    case .classes(let confusion):
      fields.append(("accuracy", .double(evaluation.accuracy)))
      if let top = evaluation.top {
        fields += [
          ("top", .integer(top.outputs)), ("top_correct", .integer(top.correct)),
          ("top_accuracy", .double(evaluation.topAccuracy)),
        ]
      }
      return fields + EvaluationReport.fields(confusion, classNames)
    case .responses(let results):
      return fields + EvaluationReport.fields(results.all).map { ($0.key, $0.value) } + [
        (
          "responses",
          .list(
            results.responses.map { result in
              .object(EvaluationReport.fields(result).map { JSONField($0.key, $0.value) })
            })
        )
      ]
    }
  }

  private static func fields(
    _ confusion: Confusion, _ classNames: [String]?
  ) -> [(key: String, value: JSONValue)] {
    let averages = confusion.macroAverages
    let classes = confusion.classes.map { result in
      let name = classNames.flatMap { result.label < $0.count ? $0[result.label] : nil }
      return JSONValue.object([
        JSONField("label", .integer(result.label)),
        JSONField("name", name.map { .string($0) } ?? .null),
        JSONField("support", .integer(result.support)),
        JSONField("predicted", .integer(result.predicted)),
        JSONField("correct", .integer(result.correct)),
        JSONField("precision", .double(result.precision)),
        JSONField("recall", .double(result.recall)), JSONField("f1", .double(result.f1)),
      ])
    }
    let pairs: (key: String, value: JSONValue)
    if confusion.classCount <= matrixLimit {
      pairs = ("confusion", .list(confusion.matrix.map { .list($0.map { .integer($0) }) }))
    } else {
      pairs = (
        "confusion_pairs",
        .list(
          confusion.entries.map {
            .list([.integer($0.label), .integer($0.prediction), .integer($0.count)])
          })
      )
    }
    return [
      ("macro_precision", .double(averages.precision)), ("macro_recall", .double(averages.recall)),
      ("macro_f1", .double(averages.f1)), ("classes", .list(classes)), pairs,
    ]
  }

  private static func fields(
    _ result: ResponseResults.Result
  ) -> [(key: String, value: JSONValue)] {
    [
      ("mean_squared_error", .double(result.meanSquared)),
      ("root_mean_squared_error", .double(result.rootMeanSquared)),
      ("mean_absolute_error", .double(result.meanAbsolute)), ("r2", .double(result.r2)),
    ]
  }
}

extension JSONValue {
  /// Returns a number, or null.
  fileprivate static func double(_ value: Double?) -> JSONValue {
    value.map { .double($0) } ?? .null
  }

  /// Returns a whole number, or null.
  fileprivate static func integer(_ value: Int?) -> JSONValue {
    value.map { .integer($0) } ?? .null
  }
}
