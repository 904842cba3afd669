// The content of a picture, before it is written in any language: boxes, arrows and groups.

/// Boxes joined by arrows; every level of detail but `network` comes to one.
struct Diagram {
  enum Role: Hashable { case data, parameter, constant, operation }
  enum Direction { case down, right }

  struct Box {
    var role: Role
    var isBackward = false
    var isResult = false
    var title: MathText
    /// Small lines below the title.
    var captions: [MathText] = []
    /// The group it lies in, an index into ``Diagram/groups``.
    var group: Int?
    /// Indicates whether the box is a symbol in a circle.
    var isSymbol = false
    /// Indicates whether the box only stands for another one, far away.
    var isReference = false
  }

  struct Arrow: Hashable {
    var from: Int
    var to: Int
    var label: MathText = ""
    var isBackward = false
    /// Indicates whether it leads to a subtrahend or divisor.
    var isInverse = false
  }

  var direction = Direction.down
  var boxes: [Box] = []
  var arrows: [Arrow] = []
  /// The names of the groups.
  var groups: [String] = []

  /// The boxes from which arrows from the forward to the backward side are cut.
  ///
  /// Graphviz routes an arrow around all boxes between its ends: 27 s of 27.3 for 551 boxes.
  private static let referenceLimit = 120

  /// In a large picture, puts a box that names its beginning in place of a far beginning of an arrow.
  mutating func cutLongArrows() {
    guard boxes.count > Diagram.referenceLimit else { return }
    var numbers: [Int: Int] = [:]
    for position in arrows.indices {
      let (from, to) = (arrows[position].from, arrows[position].to)
      guard boxes[to].isBackward, !boxes[from].isBackward else { continue }
      var reference = Box(role: boxes[from].role, title: boxes[from].title)
      reference.isReference = true
      if reference.role == .operation {
        let number = numbers[from] ?? numbers.count + 1
        if numbers.updateValue(number, forKey: from) == nil {
          boxes[from].captions.append(MathText("→ (\(number))"))
        }
        reference.title = MathText("(\(number))")
      }
      arrows[position].from = add(reference)
    }
  }

  mutating func add(_ box: Box) -> Int {
    boxes.append(box)
    return boxes.count - 1
  }
}
