// Memory that one process of a host fills and others then read in place.

import Glibc

/// Memory that one process fills and others of its host then map, to read.
///
/// It ends with the last process that maps it, however that ends. Nothing is synchronised: whoever fills
/// it tells the others when that is done.
public final class SharedRegion: @unchecked Sendable {
  /// The place of a region.
  public enum Place: Hashable, Sendable {
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
  /// For other processes, until ``hide()``.
  public let introduction: Introduction
  private var file: SharedFile?

  /// Makes a region of zeros, all of whose memory is taken at once.
  ///
  /// - Parameters:
  ///   - byteCount: The least size.
  ///   - place: Where it lies.
  /// - Throws: An error that says what there is not enough of.
  /// - Complexity: O(pages).
  public init(byteCount: Int, in place: Place) throws {
    let file = try SharedFile(byteCount: byteCount, in: place)
    try file.reserve()
    bytes = try file.map()
    introduction = file.introduction
    self.file = file
  }

  /// Maps the region of another process, to read; the other one has not hidden it yet.
  ///
  /// - Throws: An error if this process cannot get at it, as from a container of its own.
  public init(_ introduction: Introduction) throws {
    bytes = try SharedFile(opening: introduction, isReadOnly: true).map(isReadOnly: true)
    self.introduction = introduction
  }

  deinit { munmap(bytes.baseAddress, bytes.count) }

  /// Makes the memory read-only here: what writes to it from now on ends this process.
  public func protect() { mprotect(bytes.baseAddress, bytes.count, PROT_READ) }

  /// Hides the region from other processes from now on; those that map it keep it.
  public func hide() { file = nil }
}

extension SharedRegion.Introduction {
  /// As it is sent to other ranks: a line per token and of the size, then the path.
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
