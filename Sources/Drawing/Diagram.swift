// What a picture shows, before it is written in any language: boxes, arrows and groups.

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
    /// Whether the box is a symbol in a circle.
    var isSymbol = false
  }

  struct Arrow: Hashable {
    var from: Int
    var to: Int
    var label: MathText = ""
    var isBackward = false
    /// Whether it leads to what is subtracted or divided by.
    var isInverse = false
  }

  var direction = Direction.down
  var boxes: [Box] = []
  var arrows: [Arrow] = []
  /// The names of the groups.
  var groups: [String] = []

  mutating func add(_ box: Box) -> Int {
    boxes.append(box)
    return boxes.count - 1
  }
}
