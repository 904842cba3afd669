import Files
import Foundation
import Runs
import TestSupport
import Testing

@Suite("Metrics")
struct MetricsWriterTests {
  let folder: TemporaryFolder
  var path: String { folder.path + "/metrics.jsonl" }

  init() throws { folder = try TemporaryFolder() }

  /// The records of steps 1 to `last`, an evaluation after each second one.
  func write(through last: Int, after step: Int = 0) throws {
    let writer = try MetricsWriter(in: Folder(folder.path), after: step)
    for step in step + 1..<last + 1 {
      try writer.append(
        "step", [("step", .integer(step)), ("epoch", 1), ("loss", .double(1 / Double(step)))])
      if step % 2 == 0 {
        try writer.append(
          "evaluation",
          [
            ("split", "test"), ("step", .integer(step)), ("loss", .float(0.1)),
            ("correct", .integer(step)), ("count", 10),
          ])
      }
    }
    try writer.sync()
  }

  @Test("are one object per line with keys in order")
  func format() throws {
    try write(through: 3)
    #expect(
      try folder.text(of: "metrics.jsonl") == """
        {"kind":"step","step":1,"epoch":1,"loss":1.0}
        {"kind":"step","step":2,"epoch":1,"loss":0.5}
        {"kind":"evaluation","split":"test","step":2,"loss":0.1,"correct":2,"count":10}
        {"kind":"step","step":3,"epoch":1,"loss":0.3333333333333333}

        """)
  }

  @Test("are the same however often the run was stopped, wherever the file was cut")
  func resume() throws {
    try write(through: 8)
    let whole = try readFile(path)
    for count in 0...whole.count {
      // As many steps as are surely in the file, then on from there.
      let lines = whole[..<count].split(separator: 0x0A).count
      for step in [0, max(0, lines / 2 - 1)] {
        try Data(whole[..<count]).write(to: URL(fileURLWithPath: path))
        try write(through: 8, after: step)
        #expect(try readFile(path) == whole, "cut at \(count), on from \(step)")
      }
    }
  }

  @Test("keep lines that are no records, but not at the end")
  func strange() throws {
    let good = "{\"kind\":\"step\",\"step\":1}\n"
    let later = "{\"kind\":\"note\",\"text\":\"\\\"step\\\":9\",\"step\":2}\n"
    for tail in ["", "\0\0\0\n", "{\"kind\":\"step\",\"step\":2", "{}\n", "{\"step\":}\n"] {
      try folder.write(good + "strange\n" + later + tail, to: "metrics.jsonl")
      _ = try MetricsWriter(in: Folder(folder.path), after: 2)
      #expect(try folder.text(of: "metrics.jsonl") == good + "strange\n" + later)
    }
    _ = try MetricsWriter(in: Folder(folder.path), after: 1)
    #expect(try folder.text(of: "metrics.jsonl") == good)
  }

  @Test("are written at most once in an interval")
  func buffering() throws {
    let writer = try MetricsWriter(in: Folder(folder.path), after: 0, interval: .seconds(3600))
    for step in 1...1000 { try writer.append("step", [("step", .integer(step))]) }
    #expect(try readFile(path).isEmpty)
    try writer.flush()
    #expect(try folder.text(of: "metrics.jsonl").split(separator: "\n").count == 1000)
    let eager = try MetricsWriter(in: Folder(folder.path), "eager", after: 0, interval: .zero)
    try eager.append("step", [("step", 1)])
    #expect(try folder.text(of: "eager") == "{\"kind\":\"step\",\"step\":1}\n")
  }

  @Test("name what is there in place of the file", .timeLimit(.minutes(5)))
  func otherKinds() throws {
    try folder.write("precious", to: "victim")
    try folder.link("link", to: "victim")
    try makeFolder(folder.path + "/folder")
    mkfifo(folder.path + "/fifo", 0o600)
    for (name, reason) in [
      ("link", "is a symbolic link"), ("folder", "Is a directory"), ("fifo", "is a FIFO"),
    ] {
      let error = #expect(throws: RunError.self) {
        try MetricsWriter(in: Folder(folder.path), name, after: 0)
      }
      #expect(
        error?.description
          == "\(folder.path)/\(name): \(reason), expected a file that can be written to")
    }
    #expect(try folder.text(of: "victim") == "precious")
  }

  @Test("leave what a hard link keeps of them as it is")
  func hardLinks() throws {
    try write(through: 4)
    let whole = try readFile(path)
    try FileManager.default.linkItem(atPath: path, toPath: folder.path + "/kept")
    try write(through: 3, after: 2)
    #expect(try readFile(folder.path + "/kept") == whole)
    try write(through: 4, after: 3)
    #expect(try readFile(path) == whole)
    #expect(try folder.names("") == ["kept", "metrics.jsonl"])
  }

  @Test("hold numbers that read back as the same bits")
  func numbers() throws {
    var state: UInt64 = 3
    for _ in 0..<2_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let double = Double(bitPattern: state)
      let float = Float(bitPattern: UInt32(truncatingIfNeeded: state >> 32))
      if double.isFinite { #expect(Double(JSONValue.double(double).text) == double) }
      if float.isFinite { #expect(Float(JSONValue.float(float).text) == float) }
    }
    #expect(JSONValue.double(.nan).text == "null" && JSONValue.float(.infinity).text == "null")
    let text = jsonObject([("a", "\"\\\n\r\u{1}ü𝄞"), ("b", nil), ("c", true), ("d", 1e-7)])
    let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    #expect(object?["a"] as? String == "\"\\\n\r\u{1}ü𝄞")
    #expect(object?["d"] as? Double == 1e-7)
  }
}
