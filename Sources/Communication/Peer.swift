// Another rank as the kernel of this host shows it.

import Glibc

/// Another rank on this host, known by its process number and start time.
struct Peer: Sendable {
  /// The state of a process.
  enum State: Equatable {
    case running
    /// Stopped by a signal.
    case stopped
    /// Stopped by a debugger: someone is working on it.
    case held
    case ended
  }

  var rank: Int
  var pid: Int32
  var hostName: String
  /// The start time in clock ticks since boot; tells the process from a later one of the same number.
  var startTime: UInt64

  /// Reads the current state of the process.
  ///
  /// - Complexity: one small file of /proc.
  func state() -> State {
    guard let stat = ProcessStat(ofProcess: pid), stat.startTime == startTime else {
      return .ended
    }
    return stat.peerState
  }
}

/// The fields of /proc/PID/stat that matter here.
package struct ProcessStat: Equatable {
  package var state: Character
  package var parent: Int32
  package var startTime: UInt64

  /// Reads the text of the file; nil for other text.
  ///
  /// The program name in it may hold spaces and parentheses.
  package init?(_ text: String) {
    guard let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    // Field 3 of proc(5) comes first here, and field 22 is the start time.
    guard fields.count > 19, let state = fields[0].first, fields[0].count == 1,
      let parent = Int32(fields[1]), let startTime = UInt64(fields[19].filter(\.isNumber))
    else { return nil }
    self.state = state
    self.parent = parent
    self.startTime = startTime
  }
}

extension ProcessStat {
  /// Reads the fields of a process; nil if no process has that number.
  init?(ofProcess pid: Int32) {
    guard let text = contents(ofFile: "/proc/\(pid)/stat") else { return nil }
    self.init(text)
  }

  var peerState: Peer.State {
    switch state {
    case "T": .stopped
    case "t": .held
    case "Z", "X": .ended
    default: .running
    }
  }
}

/// The facts that a rank tells the others about itself at the start.
struct Introduction: Equatable {
  var pid: Int32
  var startTime: UInt64
  /// The boot and the process namespace in which `pid` means this process.
  var namespace: String
  var hostName: String
  var cores: [Int]

  /// Describes this process.
  static func ofThisProcess() -> Introduction {
    var buffer = [CChar](repeating: 0, count: 256)
    let count = readlink("/proc/self/ns/pid", &buffer, buffer.count - 1)
    let bytes = buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }
    let namespace = String(decoding: bytes, as: UTF8.self)
    let boot = contents(ofFile: "/proc/sys/kernel/random/boot_id") ?? ""
    let stat = contents(ofFile: "/proc/self/stat").flatMap(ProcessStat.init)
    return Introduction(
      pid: getpid(), startTime: stat?.startTime ?? 0,
      namespace: namespace + " " + boot.filter { !$0.isNewline }, hostName: currentHostName(),
      cores: availableCores())
  }

  var bytes: [UInt8] {
    let list = cores.map(String.init).joined(separator: ",")
    return Array("\(pid)\n\(startTime)\n\(namespace)\n\(hostName)\n\(list)".utf8)
  }

  init(pid: Int32, startTime: UInt64, namespace: String, hostName: String, cores: [Int]) {
    self.pid = pid
    self.startTime = startTime
    self.namespace = namespace
    self.hostName = hostName
    self.cores = cores
  }

  init?(bytes: [UInt8]) {
    let lines = String(decoding: bytes, as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count == 5, let pid = Int32(lines[0]), let startTime = UInt64(lines[1]) else {
      return nil
    }
    self.init(
      pid: pid, startTime: startTime, namespace: String(lines[2]), hostName: String(lines[3]),
      cores: lines[4].split(separator: ",").compactMap { Int($0) })
  }

  /// Returns the peer to observe, or nil if it is invisible from here: on another host, in another
  /// container, or hidden by /proc.
  func peer(rank: Int, seenFrom own: Introduction) -> Peer? {
    guard namespace == own.namespace, startTime != 0 else { return nil }
    let peer = Peer(rank: rank, pid: pid, hostName: hostName, startTime: startTime)
    return peer.state() == .ended ? nil : peer
  }
}
