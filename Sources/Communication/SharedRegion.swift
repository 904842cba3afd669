// Memory filled by one process of a host and then read in place by others.

import Glibc

/// Memory that one process fills and other processes of its host then map read-only.
///
/// The system frees it with the last process that maps it, however that process ends. Nothing is
/// synchronised: the filling process tells the others when it is done.
public final class SharedRegion: @unchecked Sendable {
  /// The storage of a region.
  public enum Storage: Hashable, Sendable {
    /// In memory alone, found through `/proc`.
    case memory
    /// In a file of a folder, whose name is removed by ``SharedRegion/hide()``.
    case folder(String)
  }

  /// The data that another process needs to map a region.
  public struct Introduction: Hashable, Sendable, Codable {
    let path: String
    let byteCount: Int
    let token: [UInt64]
  }

  /// The memory, a whole number of pages; written only by the process that made it, until ``protect()``.
  public let bytes: UnsafeMutableRawBufferPointer
  /// The data with which other processes map the region, valid until ``hide()``.
  public let introduction: Introduction
  private var file: SharedFile?

  /// Makes a region of zeros and reserves all its memory at once.
  ///
  /// - Parameters:
  ///   - byteCount: The minimum size.
  ///   - storage: The storage.
  /// - Throws: An error that names the resource that ran out.
  /// - Complexity: O(pages).
  public init(byteCount: Int, in storage: Storage) throws {
    let file = try SharedFile(byteCount: byteCount, in: storage)
    try file.reserve()
    bytes = try file.map()
    introduction = file.introduction
    self.file = file
  }

  /// Maps the region of another process read-only; that process must not have hidden it yet.
  ///
  /// - Throws: An error if this process cannot reach it, for example from another container.
  public init(_ introduction: Introduction) throws {
    bytes = try SharedFile(opening: introduction, isReadOnly: true).map(isReadOnly: true)
    self.introduction = introduction
  }

  deinit { munmap(bytes.baseAddress, bytes.count) }

  /// Makes the memory read-only here: a later write to it ends this process.
  public func protect() { mprotect(bytes.baseAddress, bytes.count, PROT_READ) }

  /// Hides the region from other processes; those that already map it keep it.
  public func hide() { file = nil }
}

extension SharedRegion.Introduction {
  /// The form sent to other ranks: one line per token, one for the size, then the path.
  var sent: [UInt8] {
    Array((token.map(String.init) + [String(byteCount), path]).joined(separator: "\n").utf8)
  }

  /// Reads back ``sent``; nil from a rank that sent nothing.
  init?(sent: [UInt8]) {
    let lines = String(decoding: sent, as: UTF8.self).split(separator: "\n", maxSplits: 3)
    guard lines.count == 4, let byteCount = Int(lines[2]) else { return nil }
    self.init(
      path: String(lines[3]), byteCount: byteCount, token: lines[..<2].compactMap { UInt64($0) })
  }
}
