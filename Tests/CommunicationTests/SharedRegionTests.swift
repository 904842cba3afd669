import Communication
import Foundation
import TestSupport
import Testing

@Suite("Memory of a host")
struct SharedRegionTests {
  @Test("a region is seen by whoever maps it, also after its name is gone")
  func mapped() throws {
    let folder = try TemporaryFolder()
    for storage in [SharedRegion.Storage.memory, .folder(folder.path)] {
      let region = try SharedRegion(byteCount: 10_000, in: storage)
      #expect(region.bytes.count >= 10_000 && region.bytes.allSatisfy { $0 == 0 })
      let other = try SharedRegion(region.introduction)
      region.bytes[9_999] = 7
      region.protect()
      region.hide()
      #expect(other.bytes[9_999] == 7 && other.bytes.count == region.bytes.count)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
      #expect(throws: (any Error).self) { try SharedRegion(region.introduction) }
    }
  }

  @Test("another file under the path of a region is not taken for it")
  func otherFile() throws {
    let region = try SharedRegion(byteCount: 100, in: .memory)
    let other = try SharedRegion(byteCount: 100, in: .memory)
    func fields(_ region: SharedRegion) throws -> [String: Any] {
      let data = try JSONEncoder().encode(region.introduction)
      return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }
    // As where the number of a process means another one.
    let wrong = try fields(region).merging(["path": fields(other)["path"] ?? ""]) { $1 }
    let introduction = try JSONDecoder().decode(
      SharedRegion.Introduction.self, from: JSONSerialization.data(withJSONObject: wrong))
    let error = try #require(throws: (any Error).self) { try SharedRegion(introduction) }
    #expect("\(error)".contains("is another file here"))
  }

  @Test("a folder that takes no files is refused with the reason")
  func noFolder() throws {
    let error = try #require(throws: (any Error).self) {
      try SharedRegion(byteCount: 100, in: .folder("/proc"))
    }
    #expect("\(error)".hasPrefix("shared memory: a file in /proc: "))
  }

  @Test("the least limit of the control groups on the way counts")
  func controlGroups() {
    let files = [
      "/sys/fs/cgroup/memory.max": "max\n", "/sys/fs/cgroup/job/memory.max": "3000\n",
      "/sys/fs/cgroup/job/step/memory.max": "9000\n",
      "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "2000\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    ]
    func limit(_ text: String) -> Int? { memoryLimit(controlGroups: text) { files[$0] } }
    #expect(limit("0::/job/step\n") == 3000)
    #expect(limit("0::/\n") == nil)
    #expect(limit("0::/elsewhere\n") == nil)
    #expect(limit("5:cpu,cpuacct:/job\n4:memory:/a/b\n0::/\n") == 2000)
    #expect(limit("4:memory:/\n") == 9_223_372_036_854_771_712)
    #expect(limit("") == nil && limit("nonsense\n") == nil)
    #expect(HostMemory.byteCount > 0 && HostMemory.processByteCount > 0)
  }
}
